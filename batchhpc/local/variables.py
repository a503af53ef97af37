"""Environment of a node: what a container would have, the definition's variables, and Batch's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.local.definition import JobPlan, Kind

COMPUTE_ENVIRONMENT = "batchhpc-local"
PASSED_ON = (
    "LC_ALL",  # what the program's text looks like
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",  # an MPI that came with environment modules, not with a wheel
)
"""Variables of the caller that nodes see as they are. This machine stands for the image, but not the caller's shell."""


def plain_variables(scratch: Path) -> dict[str, str]:
    """What any container of this machine's would have; ``scratch`` is the node's own directory for temporary files.

    This interpreter's directory comes first in PATH: ``python3`` and the MPI wheel's ``mpirun`` are then the caller's.
    """
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    python_path = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **passed,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(Path.home()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PWD": str(Path.cwd()),
        "PYTHONPATH": os.pathsep.join(python_path),
        "TMPDIR": str(scratch),
    }


def batch_variables(plan: JobPlan, node: int, *, job_id: str, attempt: int, main_address: str) -> dict[str, str]:
    """What AWS Batch sets on this node (R41): only multi-node jobs are told about nodes, only children about arrays (R61)."""
    variables = {
        contract.JOB_ID: plan.job_id(job_id, node),
        contract.JOB_ATTEMPT: str(attempt),
        contract.COMPUTE_ENVIRONMENT: COMPUTE_ENVIRONMENT,
        contract.JOB_QUEUE: plan.queue,
    }
    if plan.kind is Kind.ARRAY:
        variables |= {contract.ARRAY_INDEX: str(node), contract.ARRAY_SIZE: str(len(plan.nodes))}
    if plan.kind is Kind.MULTINODE:
        variables |= {
            contract.NODE_INDEX: str(node),
            contract.NUM_NODES: str(len(plan.nodes)),
            contract.MAIN_NODE_INDEX: str(plan.main),
        }
        if node != plan.main:
            variables[contract.MAIN_NODE_ADDRESS] = main_address
    return variables


def node_variables(
    plan: JobPlan,
    node: int,
    *,
    job_id: str,
    attempt: int,
    main_address: str,
    network: Mapping[str, str],
    secrets: Mapping[str, str],
    scratch: Path,
    records: str,
) -> dict[str, str]:
    """All variables of a node; of two with one name the definition's beats the machine's, and Batch's beats both.

    Where the definition says where gangs keep their records, ``records`` stands for that: the bucket is not this machine's.
    """
    definition = plan.nodes[node]
    return {
        **plain_variables(scratch),
        **network,
        **definition.environment,
        **({contract.RECORDS: records} if contract.RECORDS in definition.environment else {}),
        **{name: secrets[arn] for name, arn in definition.secrets.items()},
        **batch_variables(plan, node, job_id=job_id, attempt=attempt, main_address=main_address),
    }
