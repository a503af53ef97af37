"""Whether an image has what the agent needs; asked of the image itself (containers/README.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from batchhpc.agent import contract
from batchhpc.agent.launch import recognise
from batchhpc.errors import Misconfigured, Problem, Severity
from batchhpc.local.engine import Engine

_PROBE: Final = """
import importlib.util, json, os, platform, shutil, sys
print(json.dumps({
    "python": platform.python_version(), "old": sys.version_info < (3, 11), "libc": platform.libc_ver()[0],
    "machine": platform.machine(), "user": os.getuid(), "temporary": os.access("/tmp", os.W_OK), "sh": bool(shutil.which("sh")),
    "boto3": importlib.util.find_spec("boto3") is not None,
    "sshd": bool(shutil.which("sshd") or os.path.exists("/usr/sbin/sshd")),
}))
"""
_WHEEL: Final = "pip install --no-deps the wheel of batchhpc into it (containers/README.md)"


@dataclass(frozen=True, slots=True)
class Checked:
    """What an image has, and what is wrong with it."""

    facts: dict[str, Any]
    problems: tuple[Problem, ...]


def check_image(engine: Engine, reference: str) -> Checked:
    """Runs short containers of the image, without a network and without a job's variables.

    Raises:
        Unavailable: the image cannot be run at all.
    """
    facts: dict[str, Any] = {"image": reference}
    problems = [*_python(engine, reference, facts), *_agent(engine, reference), *_mpirun(engine, reference, facts)]
    return Checked(facts, tuple(problems))


def _python(engine: Engine, reference: str, facts: dict[str, Any]) -> Iterator[Problem]:
    code, output = engine.run(reference, ["-c", _PROBE], "python3")
    try:
        said = json.loads(output.strip().splitlines()[-1]) if not code else None
    except (ValueError, IndexError):
        said = None
    if not isinstance(said, dict):
        yield Problem("python3", f"does not run: {_last(output, code)}", "install Python 3.11 or newer as python3 on PATH")
        return
    facts.update(said)
    if said["old"]:
        yield Problem("python3", f"is {said['python']}, older than 3.11", "put a newer one first on PATH, as python3")
    if not said["temporary"]:
        yield Problem("/tmp", f"user {said['user']} cannot write there", "chmod 1777 /tmp")  # noqa: S108 - the image's
    if not said["sh"]:
        yield Problem("sh", "is not on PATH, but mpirun's daemons are started with it", "install a shell")
    if not said["boto3"]:
        text = "is not in the image: gangs on Spot need it, which keep their record in S3; other jobs do not"
        yield Problem("boto3", text, "pip install boto3, for the python3 that is first on PATH", "R60", Severity.WARNING)
    if said["sshd"]:
        yield Problem("sshd", "is in the image, and not needed", "leave it out", severity=Severity.WARNING)
    if said["user"] == 0:
        yield Problem("user", "is root", "USER 1000:1000 in the Dockerfile", severity=Severity.WARNING)


def _agent(engine: Engine, reference: str) -> Iterator[Problem]:
    """The node's command as a job has it, without a job: the agent says so, if it is there and the entry point lets it run."""
    code, output = engine.run(reference, contract.NODE_COMMAND)
    events = [event for line in output.splitlines() if (event := contract.parse_event_line(line.strip()))]
    if code == contract.EXIT_MISCONFIGURED and events and events[-1]["event"] == "finished":
        return
    direct, said = engine.run(reference, ["-c", "import batchhpc.agent.__main__"], "python3")
    if direct:
        yield Problem("batchhpc.agent", f"cannot be imported: {_last(said, direct)}", _WHEEL)
    else:
        yield Problem(
            "ENTRYPOINT",
            f"does not run the job's command as it is: {_last(output, code)}",
            'leave it out, or let it end with: exec "$@"',
        )


def _mpirun(engine: Engine, reference: str, facts: dict[str, Any]) -> Iterator[Problem]:
    code, output = engine.run(reference, ["--version"], "mpirun")
    if code:
        yield Problem(
            "mpirun",
            f"does not run: {_last(output, code)}",
            "install an MPI with mpirun on PATH, or write launcher: none in the job spec",
            severity=Severity.WARNING,
        )
        return
    try:
        facts["mpi"] = str(recognise(output, "auto"))
    except Misconfigured as error:
        yield Problem("mpirun", str(error), "Open MPI 4.1 or newer, MPICH, or Intel MPI 2019u5 or newer (R90)")


def _last(output: str, code: int) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"exit code {code}{', ' + repr(lines[-1]) if lines else ''}"
