"""The MPI program of the fault tests: ``python3 -m mpi4py program.py VERB ...``. Every verb starts with a barrier."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

VERB, *WORDS = sys.argv[1:]
TOLD = threading.Event()

if VERB == "checkpoint":  # before MPI starts its threads: they must inherit the blocked signal
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    def wait_for_notice() -> None:
        signal.sigwait([signal.SIGUSR1])
        TOLD.set()

    threading.Thread(target=wait_for_notice, daemon=True).start()

from mpi4py import MPI  # noqa: E402

COMM = MPI.COMM_WORLD
LAST = COMM.size - 1


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def hang() -> None:
    time.sleep(60)


def main() -> None:
    COMM.Barrier()
    node, attempt = os.environ.get("AWS_BATCH_JOB_NODE_INDEX", "0"), os.environ["AWS_BATCH_JOB_ATTEMPT"]
    say(f"rank {COMM.rank} of {COMM.size} on node {node} in attempt {attempt}")
    if VERB == "env":
        say(f"{WORDS[0]}={os.environ.get(WORDS[0])}")
    elif VERB == "exit" and COMM.rank == LAST:
        os._exit(int(WORDS[0]))
    elif VERB == "killed":
        for line in Path("/proc/self/maps").read_text().splitlines():
            if "/dev/shm/" in line:
                say(f"segment {line.split()[5]}")
        COMM.Barrier()
        os.kill(os.getpid(), signal.SIGKILL) if COMM.rank == LAST else hang()
    elif VERB == "first-attempt-hangs" and attempt != "1":
        say(f"leftovers: {sorted(path.name for path in Path(WORDS[0]).iterdir())}")
    elif VERB == "checkpoint":
        assert TOLD.wait(60)
        (Path(WORDS[0]) / f"checkpoint-{COMM.rank}").write_text(Path(os.environ["BATCHHPC_NOTICE_FILE"]).read_text())
    elif VERB != "ok":
        hang()


main()
