"""``python -m batchhpc.agent -- PROGRAM ARGUMENTS...``: the agent of one node, as the compiler writes it into the job."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # before the imports, which take a tenth of a second: a host may be shutting down already
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))  # until the node can answer to them

import asyncio
import os
import shutil
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.agent.event_log import EventLog
from batchhpc.agent.network import reachable_address
from batchhpc.agent.node import Node
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.settings import Settings
from batchhpc.errors import AgentError

_SOCKET_PATH_ROOM = 60  # bytes of TMPDIR that leave room for the socket's name within the 108 of an AF_UNIX address


def main(argv: list[str]) -> int:
    """Runs the node to its end; gives its exit code."""
    environ = dict(os.environ)
    secret = environ.pop(contract.SECRET, None)
    os.environ.pop(contract.SECRET, None)  # no program below sees it
    try:
        command = tuple(argv[argv.index("--") + 1 :] if "--" in argv else ())
        told = {**environ, contract.SECRET: secret} if secret else environ
        settings = Settings.from_environment(told, command)
        # Not asyncio.run, which would wait for a thread whose call to S3 hangs: the process ends anyway.
        return asyncio.new_event_loop().run_until_complete(_run(settings, environ)).code
    except AgentError as error:
        return _fail(environ, error.exit_code, str(error))
    except Exception as error:  # noqa: BLE001 - the last line of defence: say what happened, and use the reserved code
        traceback.print_exc()
        return _fail(environ, contract.EXIT_INTERNAL, f"a bug in the agent: {type(error).__name__}: {error}")


async def _run(settings: Settings, environ: dict[str, str]) -> Outcome:
    temporary = tempfile.gettempdir()
    parent = temporary if len(temporary) <= _SOCKET_PATH_ROOM else "/tmp"  # noqa: S108 - mkdtemp is safe there
    directory = Path(tempfile.mkdtemp(prefix="bhpc-", dir=parent))
    try:
        if settings.gang and settings.address is None:
            settings = replace(settings, address=await reachable_address(settings.metadata_endpoint))
        return await _role(settings)(settings, environ, directory).run()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _role(settings: Settings) -> type[Node]:
    """What this node is; the other roles' modules are not loaded, which saves a tenth of the start."""
    if settings.gang and settings.is_main:
        from batchhpc.agent.gang_leader_node import GangLeaderNode  # noqa: PLC0415

        return GangLeaderNode
    if settings.gang:
        from batchhpc.agent.gang_child_node import GangChildNode  # noqa: PLC0415

        return GangChildNode
    if settings.is_main:
        from batchhpc.agent.main_node import MainNode  # noqa: PLC0415

        return MainNode
    from batchhpc.agent.child_node import ChildNode  # noqa: PLC0415

    return ChildNode


def _fail(environ: dict[str, str], code: int, why: str) -> int:
    node = environ.get(contract.ARRAY_INDEX) or environ.get(contract.NODE_INDEX, "0")
    log = EventLog(int(node) if node.isdecimal() else 0)
    log.write("finished", code=code, reason=why)
    log.close()
    return code


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # all is said and done; taking the interpreter apart costs 20 ms of each node
