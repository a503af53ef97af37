"""The ``ssh`` that mpirun is given: asks the agent to run a command on another node.

    shim [options] HOST COMMAND...

mpirun starts one of these per node on the main node. It hands host and command to the agent's Unix socket (`node_socket`),
writes what the command there writes, and ends with its exit code, or 255, as ssh does, if the node was lost. It runs up to
1,000 times at once: hence a plain script that imports little and nothing of batchhpc.
"""

import os
import socket
import sys


def main() -> int:
    words = sys.argv[1:]
    while words and words[0].startswith("-"):  # Hydra passes -x, Intel MPI -q: flags without a value
        words.pop(0)
    host, command = words[0].rpartition("@")[2], " ".join(words[1:])  # as ssh does: the remote shell splits again
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(os.environ["BATCHHPC_AGENT_SOCKET"])
    generation = os.environb.get(b"BATCHHPC_GENERATION", b"")
    body = b"\0".join([b"run", generation, host.encode(), os.fsencode(command)])
    agent.sendall(len(body).to_bytes(4, "big") + body)
    answers = agent.makefile("rb")
    while head := answers.read(4):
        kind, _, rest = answers.read(int.from_bytes(head, "big")).partition(b"\0")
        if kind == b"exit":
            return int(rest)
        fd, _, data = rest.partition(b"\0")
        while data:
            data = data[os.write(int(fd), data) :]
    return 255


if __name__ == "__main__":
    sys.exit(main())
