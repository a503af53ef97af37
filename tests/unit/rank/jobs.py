"""A program with a state whose bits are known for any number of ranks and any step; what it saves and must find again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from batchhpc.rank.checkpoint import Checkpoint, Loaded
from batchhpc.rank.checkpoint.store import Store
from batchhpc.rank.communicator import Alone
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

PATHS, COLUMNS = 101, 37  # no multiple of any number of ranks
IDENTITY: dict[str, Any] = {"inputs": {"prices": "sha256:1"}, "version": "1"}
Array = npt.NDArray[Any]
ALONE: Any = Alone()


def paths(step: int) -> Array:
    """A global array that is split along its first axis."""
    return np.random.default_rng(step).random((PATHS, 3))


def grid(step: int) -> Array:
    """A global array that is split along its second axis."""
    return np.random.default_rng([step, 1]).integers(0, 1 << 62, (5, COLUMNS, 2))


def share(total: int, comm: ThreadComm) -> slice:
    """An uneven one: of four ranks the first has nothing."""
    cuts = [total * at * at // (comm.size * comm.size) for at in range(comm.size + 1)]
    return slice(cuts[comm.rank] if comm.rank > 1 or comm.size < 4 else 0, cuts[comm.rank + 1] if comm.rank or comm.size < 4 else 0)


def save(checkpoint: Checkpoint, comm: ThreadComm, step: int) -> None:
    rows, columns = share(PATHS, comm), share(COLUMNS, comm)
    checkpoint.save(
        step,
        {"paths": paths(step)[rows], "grid": grid(step)[:, columns]},
        axes={"grid": 1},
        per_rank={"generator": np.array([step, comm.rank])},
        shared={"sums": np.arange(step)},
        state={"step": step, "text": "ä\0", "float": 0.1},
    )


def assert_same(found: Loaded | None, step: int) -> None:
    """Every piece that was loaded is that of the step, to the bit."""
    assert found is not None
    assert found.step == step
    (first, last), (left, right) = found.bounds["paths"], found.bounds["grid"]
    assert found.arrays["paths"].tobytes() == paths(step)[first:last].tobytes()
    assert found.arrays["grid"].tobytes() == grid(step)[:, left:right].tobytes()
    assert found.arrays["grid"].flags.c_contiguous
    assert found.shared["sums"].tolist() == list(range(step))
    assert found.state == {"step": step, "text": "ä\0", "float": 0.1}


def saved(store: Store, ranks: int, *steps: int, **options: Any) -> None:
    """A job that saves these steps and ends."""

    def program(comm: ThreadComm) -> None:
        with Checkpoint(store, comm, **{**IDENTITY, "environ": {}, **options}) as checkpoint:
            for step in steps:
                save(checkpoint, comm, step)

    run_ranks(ranks, program)


def loaded(store: Store, ranks: int, **options: Any) -> list[Loaded | None]:
    """What each rank of a job finds; as readers, so that nothing changes."""

    def program(comm: ThreadComm) -> Loaded | None:
        with Checkpoint(store, comm, **{**IDENTITY, "environ": {}, "read_only": True}) as checkpoint:
            return checkpoint.load(**options)

    return run_ranks(ranks, program)


def opened(store: Any, comm: ThreadComm | None = None, **options: Any) -> Checkpoint:
    """A checkpoint of this program, without an agent."""
    return Checkpoint(store, comm, **{**IDENTITY, "environ": {}, **options})
