"""The ``ssh`` that mpirun is given: asks the agent to run a command on another node.

    shim [options] HOST COMMAND...

mpirun starts one of these per node on the main node. It hands host and command to the agent's Unix socket, writes what
the command there writes, and ends with its exit code, or 255, as ssh does, if the node was lost. It runs up to 1,000
times at once: hence a plain script that imports little and nothing of batchhpc.
"""

import json
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
    agent.sendall(json.dumps({"type": "run", "host": host, "command": command}).encode() + b"\n")
    for line in agent.makefile("rb"):
        message = json.loads(line)
        if message["type"] == "output":
            _write(message["fd"], message["data"].encode("latin-1"))
        elif message["type"] == "exit":
            return int(message["code"])
    return 255


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    sys.exit(main())
