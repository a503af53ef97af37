"""The MPI program of the gang tests: ``python3 -m mpi4py gang_program.py VERB ...``. Every verb starts with a barrier."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

VERB, *WORDS = sys.argv[1:]
signal.signal(signal.SIGUSR1, lambda *_: None)  # it listens to notices

from mpi4py import MPI  # noqa: E402

COMM = MPI.COMM_WORLD


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def together(mine: object) -> object:
    """What rank 0 sees, on all ranks."""
    return COMM.bcast(mine if COMM.rank == 0 else None)


def tell_agent(*fields: str) -> None:
    """One message to this node's agent."""
    with socket.socket(socket.AF_UNIX) as agent:
        agent.connect(os.environ["BATCHHPC_AGENT_SOCKET"])
        body = "\0".join(fields).encode()
        agent.sendall(len(body).to_bytes(4, "big") + body)


def main() -> None:
    node, generation = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"], os.environ["BATCHHPC_GENERATION"]
    COMM.Barrier()
    say(f"rank {COMM.rank} of {COMM.size} on node {node} in generation {generation}")
    if VERB == "exit" and COMM.rank == COMM.size - 1:
        os._exit(int(WORDS[0]))
    elif VERB == "until":  # the file is there; checkpoints all the while
        step = 0
        while not together(Path(WORDS[0]).exists()):
            time.sleep(0.1)
            step += 1
            if COMM.rank == 0:
                tell_agent("checkpoint", generation, str(step), "1", "0.1")
    elif VERB == "generation":  # hangs before that one
        while int(generation) < int(WORDS[0]):
            time.sleep(60)
    elif VERB == "notice":
        while not COMM.allreduce(int(Path(os.environ["BATCHHPC_NOTICE_FILE"]).exists()), op=MPI.MAX):
            time.sleep(0.05)
        say("told")
    COMM.Barrier()


main()
