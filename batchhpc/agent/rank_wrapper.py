"""Stands between mpirun and one rank's program, so that the agent learns how the program really ended.

    rank_wrapper [--rank N] -- PROGRAM ARGUMENTS...

It asks its node's agent for the node's own variables and output (`node_socket`), starts the program, passes signals on,
reports the exit code, and then ends exactly as the program did, so that mpirun sees the same. It runs once per rank: hence a
plain script that imports little and nothing of batchhpc.
"""

import os
import signal
import socket
import sys

SOCKET = "BATCHHPC_AGENT_SOCKET"
RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")  # Hydra, Open MPI 4, PMIx
MAIN_VARIABLES = b"BATCHHPC_MAIN_VARIABLES"
KEPT = (b"PATH", b"LD_LIBRARY_PATH")  # what mpirun sets for its ranks on purpose wins over the node's own
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def socket_of_this_node() -> str:
    """Path of this node's agent's socket.

    Hydra gives all ranks the main node's variables. But the daemon above us was started by this node's agent, so its
    environment tells the truth.
    """
    prefix = f"{SOCKET}=".encode()
    try:
        with open(f"/proc/{os.getppid()}/environ", "rb") as parent:  # noqa: PTH123 - pathlib costs 5 ms a rank
            variables = parent.read().split(b"\0")
    except OSError:
        variables = []
    known = [os.fsdecode(text[len(prefix) :]) for text in variables if text.startswith(prefix)]
    return known[0] if known else os.environ[SOCKET]


def send(agent: socket.socket, *fields: str) -> None:
    body = "\0".join(fields).encode()
    agent.sendall(len(body).to_bytes(4, "big") + body)


def register(agent: socket.socket, rank: str) -> None:
    """Tells the agent that this rank is here; takes the node's variables, and the agent's own output as ours."""
    send(agent, "rank", os.environ.get("BATCHHPC_GENERATION", ""), rank)
    data, fds, _, _ = socket.recv_fds(agent, 1 << 16, 2)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        more = agent.recv(1 << 16)
        if not more:
            raise ConnectionError("the agent closed the connection")
        data += more
    for fd, standard in zip(fds, (1, 2)):  # noqa: B905 - two and two
        os.dup2(fd, standard)
        os.close(fd)
    own = dict(text.partition(b"=")[::2] for text in data[4:].split(b"\0")[1:])
    for name in os.environb.pop(MAIN_VARIABLES, b"").split(b":"):  # Hydra copied these; some are the main node's alone
        if name not in own:
            os.environb.pop(name, None)
    os.environb.update({name: value for name, value in own.items() if name not in KEPT})


def start(command: list[str]) -> int:
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


def pass_on(pid: int, number: int) -> None:
    """Sends a signal on to the program, which may just have ended."""
    try:  # noqa: SIM105 - contextlib costs 2 ms a rank
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def main() -> None:
    words = sys.argv[1 : sys.argv.index("--")]
    command = sys.argv[sys.argv.index("--") + 1 :]
    known = [words[1]] if words else [os.environ[name] for name in RANK_VARIABLES if name in os.environ]
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(socket_of_this_node())
    register(agent, known[0] if known else "0")
    pid = start(command)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: pass_on(pid, number))
    send(agent, "started", str(pid))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:  # noqa: SIM105 - contextlib costs 2 ms a rank
        send(agent, "exit", str(code if code >= 0 else 128 - code))
    except OSError:
        pass  # an agent that is gone took the node with it
    agent.close()
    if code < 0:
        end_by_signal(-code)
    os._exit(code)


def end_by_signal(number: int) -> None:
    """Dies of a signal, as the program did."""
    if number != signal.SIGKILL:  # which has no handler to reset
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
