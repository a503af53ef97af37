"""Carried out here: a small, honest AWS Batch.

Takes: the compiled documents, and faults to inject.
Gives: jobs in AWS Batch's states, run by the same agent on loopback addresses or in namespaces.
May import: jobs, compiler, spec, agent.contract, errors.
Never does: read the spec, or set a variable that is neither the documents' nor AWS Batch's, but for what any container has
(PATH, HOME and the like), the node's address, and the endpoint of its metadata service.
"""

from __future__ import annotations

from batchhpc.local.chaos import Chaos
from batchhpc.local.faults import Fault
from batchhpc.local.runner import LocalRunner

__all__ = ["Chaos", "Fault", "LocalRunner"]
