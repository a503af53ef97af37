"""The MPI program of the tests of `batchhpc.rank`: ``python3 -m mpi4py rank_program.py VERB ...``."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from mpi4py import MPI

from batchhpc import rank

VERB, *WORDS = sys.argv[1:]
COMM = MPI.COMM_WORLD
LONGEST = 60.0  # seconds that a loop goes on
STEPS = 100


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def exact() -> None:
    """Writes each result's bits, as every rank has them; the work is dealt out by rows, so that it depends on their number."""
    import numpy as np

    rng = np.random.default_rng(5)
    values = np.ldexp(rng.standard_normal((20_000, 3)), rng.integers(-300, 300, (20_000, 3)).astype(np.int32))
    losses = rng.standard_t(3, 30_000)
    mine, some = values[COMM.rank :: COMM.size], losses[COMM.rank :: COMM.size]
    rows = rank.block_range(len(losses), COMM.rank, COMM.size, 256)
    odd = np.array([[np.inf, 1.0], [1.0, np.nan]])[: 2 if COMM.rank == COMM.size - 1 else 0]
    results = {
        "sum": rank.exact_sum(mine, COMM),
        "one": rank.exact_sum(mine, COMM, axis=None),
        "float32": rank.exact_sum(some.astype(np.float32), COMM),
        "blocks": rank.exact_sum(rank.block_sums(losses[rows.start : rows.stop], 256), COMM),
        "odd": rank.exact_sum(odd, COMM),
        "order": rank.order_statistics(some, [0, 777, -1], COMM),
        "quantile": rank.exact_quantile(some, [0.025, 0.5, 0.975], COMM),
    }
    bits = {name: value.tobytes().hex() for name, value in results.items()}
    assert COMM.allgather(bits) == [bits] * COMM.size
    if COMM.rank == 0:
        say(json.dumps(bits))


def notice() -> None:
    """Computes until there is a notice, and saves its work as a step of its own: all ranks at the same step."""
    rank.listen()
    COMM.Barrier()
    say(f"rank {COMM.rank} of {COMM.size} computes")
    deadline, steps = time.monotonic() + LONGEST, 0
    while not (told := rank.notice(COMM)) and time.monotonic() < deadline:
        time.sleep(0.02)
        steps += 1
    assert told
    time.sleep(float(WORDS[1]) if len(WORDS) > 1 else 0)
    text = json.dumps({"reason": told.reason, "left": told.seconds_left, "steps": steps})
    (Path(WORDS[0]) / f"saved-{COMM.rank}").write_text(text)


def polls() -> None:
    """Never asks together with others, and hears of the notice by polling alone, as its handler was set by nobody."""
    deadline = time.monotonic() + LONGEST
    rank.notice()
    COMM.Barrier()
    say(f"rank {COMM.rank} polls, signal {signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL}")
    while not (told := rank.notice()) and time.monotonic() < deadline:
        time.sleep(0.02)
    (Path(WORDS[0]) / f"saved-{COMM.rank}").write_text(json.dumps({"reason": told and told.reason}))


def progress() -> None:
    """Goes on at what a checkpoint is supposed to have said."""
    for done in range(900, 1001, 4):
        rank.progress(done, 1000, "paths", COMM)
        time.sleep(0.05)
    COMM.Barrier()
    assert rank.notice(COMM) is None
    if COMM.rank == 0:
        say(f"agent {'BATCHHPC_AGENT_SOCKET' in os.environ}")


def resume() -> None:
    """Sums step by step, each step's numbers dealt out to whatever ranks there are; goes on from the last checkpoint."""
    import numpy as np

    place, seconds = WORDS[0], float(WORDS[1])
    with rank.Checkpoint(place, COMM, inputs={"seed": "9"}, version="1") as checkpoint:
        found = checkpoint.load()
        step, total = found.step if found else 0, rank.ExactSum.from_state(found.arrays["sums"]) if found else rank.ExactSum(5)
        rank.progress(step, STEPS, "steps", COMM)
        saved = False
        while step < STEPS:
            rng = np.random.default_rng([9, step])
            values = np.ldexp(rng.standard_normal((50, 5)), rng.integers(-100, 100, (50, 5)).astype(np.int32))
            total.add(values[COMM.rank :: COMM.size])
            time.sleep(seconds)
            step += 1
            told = rank.notice(COMM)
            if step % 10 == 0 or (told and not saved):
                saved = told is not None
                checkpoint.save(step, {"sums": total.state()})
            rank.progress(step, STEPS, "steps", COMM)
    result = total.reduce(COMM).value().tobytes().hex()
    if COMM.rank == 0:
        say(f"sums {result}")


{"resume": resume, "exact": exact, "notice": notice, "polls": polls, "progress": progress}[VERB]()
