"""Stands between mpirun and one rank's program, so that the agent learns how the program really ended.

    rank_wrapper [--rank N] -- PROGRAM ARGUMENTS...

It asks its node's agent for the node's own variables and output, starts the program, passes signals on, reports the exit
code, and then ends exactly as the program did, so that mpirun sees the same. It runs once per rank: hence a plain script
that imports little and nothing of batchhpc.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

SOCKET = "BATCHHPC_AGENT_SOCKET"
RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")  # Hydra, Open MPI 4, PMIx
KEPT = ("PATH", "LD_LIBRARY_PATH")  # what mpirun sets for its ranks on purpose wins over the node's own
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def socket_of_this_node() -> str:
    """Path of this node's agent's socket.

    Hydra gives all ranks the main node's variables. But the daemon above us was started by this node's agent, so its
    environment tells the truth.
    """
    try:
        parent = Path(f"/proc/{os.getppid()}/environ").read_bytes()
    except OSError:
        parent = b""
    prefix = f"{SOCKET}=".encode()
    for variable in parent.split(b"\0"):
        if variable.startswith(prefix):
            return os.fsdecode(variable[len(prefix) :])
    return os.environ[SOCKET]


def register(agent: socket.socket, rank: int) -> None:
    """Tells the agent that this rank is here; takes the node's variables, and the agent's own output as ours."""
    agent.sendall(json.dumps({"type": "rank", "rank": rank}).encode() + b"\n")
    data, fds, _, _ = socket.recv_fds(agent, 1 << 16, 2)
    while not data.endswith(b"\n"):
        more = agent.recv(1 << 16)
        if not more:
            raise ConnectionError("the agent closed the connection")
        data += more
    for fd, own in zip(fds, (1, 2), strict=True):
        os.dup2(fd, own)
        os.close(fd)
    for name, value in json.loads(data)["env"].items():
        if name not in KEPT:
            os.environ[name] = value


def run(command: list[str]) -> int:
    """Starts the program; gives its process id. A program that is not there ends with 127, as in a shell."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def main() -> None:
    words = sys.argv[1 : sys.argv.index("--")]
    command = sys.argv[sys.argv.index("--") + 1 :]
    known = [words[1]] if words else [os.environ[name] for name in RANK_VARIABLES if name in os.environ]
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(socket_of_this_node())
    register(agent, int(known[0]) if known else 0)
    pid = run(command)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(pid, number))
    agent.sendall(json.dumps({"type": "started", "pid": pid}).encode() + b"\n")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):  # an agent that is gone took the node with it
        agent.sendall(json.dumps({"type": "exit", "code": code if code >= 0 else 128 - code}).encode() + b"\n")
    agent.close()
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
