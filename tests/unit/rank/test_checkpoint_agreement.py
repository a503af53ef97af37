from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from batchhpc.rank.checkpoint import CheckpointError, CheckpointMismatch, CheckpointWarning
from batchhpc.rank.checkpoint.errors import StoreFailed
from batchhpc.rank.checkpoint.manifest import CHUNK
from tests.unit.rank.jobs import assert_same, loaded, opened, save, saved
from tests.unit.rank.stores import Around, Failing, Memory
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks


def test_checkpoint_of_other_inputs_or_version_is_refused() -> None:
    """What was made of other inputs or by another version is never used, nor passed over: the error names all that differs."""
    store = Memory()
    saved(store, 2, 1)
    other = {"inputs": {"prices": "sha256:2", "rates": "x"}, "version": "2"}

    def program(comm: ThreadComm) -> str:
        with pytest.raises(CheckpointMismatch) as caught:
            opened(store, comm, **other).load()
        return str(caught.value)

    for text in run_ranks(2, program):
        assert "checkpoint of step 1" in text
        assert "version: '1' there, '2' here" in text
        assert "inputs['prices']: 'sha256:1' there, 'sha256:2' here" in text
        assert "inputs['rates']: none there, 'x' here" in text


def test_ranks_must_compute_the_same() -> None:
    """Ranks that are given other inputs than rank 0 are named at once."""

    def program(comm: ThreadComm) -> None:
        with pytest.raises(
            CheckpointError, match=r"rank 2 is not given the same as rank 0.*\n  inputs\['a'\]: '2' there, '0' here"
        ):
            opened(Memory(), comm, inputs={"a": str(comm.rank // 2 * 2)})

    run_ranks(3, program)


def test_place_that_is_not_shared_is_found_at_once() -> None:
    """Where ranks do not see what rank 0 wrote, every rank raises in the constructor, and the blind ranks are named."""
    stores = [Memory("/scratch"), Memory("/scratch"), Memory("/scratch")]
    saved(stores[2], 1, 1)  # it has entries of its own

    def program(comm: ThreadComm) -> str:
        with pytest.raises(CheckpointError) as caught:
            opened(stores[comm.rank], comm, visible_within=0)
        return str(caught.value)

    for text in run_ranks(3, program):
        assert "/scratch: not shared by all ranks: 2 of 3 do not see what rank 0 wrote: rank 1, 2; rank 1 says: " in text
        assert "journal/0000000001.json: not there" in text


def test_rank_that_cannot_write_is_named_by_all() -> None:
    """A part that cannot be written fails the save on all ranks, at the next call, with the reason; the next save may do better."""
    memory = Memory()
    broken = [True]

    def program(comm: ThreadComm) -> None:
        store = Failing(memory, refuses=lambda verb, _: comm.rank == 1 and verb == "write" and broken[0])
        checkpoint = opened(store, comm)
        save(checkpoint, comm, 1)
        with pytest.raises(CheckpointError, match=r"rank 1 could not write its part: .*No space left") as caught:
            save(checkpoint, comm, 2)
        assert "rank 0: checkpoint of step 1" in str(caught.value)
        broken[0] = False
        save(checkpoint, comm, 3)
        checkpoint.wait()

    run_ranks(3, program)
    for one in loaded(memory, 3):
        assert_same(one, 3)
    assert len({key.split("/")[1] for key in memory.list("parts/")}) == 1  # what was left of the failed save is gone


def test_parts_that_never_come_are_named() -> None:
    """Rank 0 waits for the other ranks' parts until its deadline, then all ranks learn whose never came."""
    stores = [Memory("here") for _ in range(3)]
    seconds = itertools.count()

    def program(comm: ThreadComm) -> None:
        own = Around(stores[comm.rank])
        checkpoint = opened(stores[0], comm, deadline=5, clock=lambda: float(next(seconds)))
        checkpoint._background._store = own  # a mount that went away after the start
        save(checkpoint, comm, 4)
        with pytest.raises(CheckpointError, match=r"2 of 3 parts never came \(not within 5 s\): rank 1, 2\n  hint: is here shared"):
            checkpoint.wait()

    run_ranks(3, program)


def test_failed_cleaning_is_a_warning() -> None:
    """A checkpoint that is whole is not called failed because an older one could not be removed."""
    memory = Memory()
    checkpoint = opened(Failing(memory, refuses=lambda verb, _: verb == "delete"), keep=1)
    checkpoint.save(1, {"x": np.arange(3)}, wait=True)
    checkpoint.save(2, {"x": np.arange(3)})
    with pytest.warns(CheckpointWarning, match="step 2 is whole, but older ones could not be removed: cannot delete"):
        checkpoint.wait()
    checkpoint.wait()
    assert opened(memory).load()


def test_store_that_cannot_be_used_fails_on_all_ranks() -> None:
    """If rank 0 cannot begin a run, all ranks raise why."""
    store = Failing(Memory(), refuses=lambda verb, _: verb == "create")

    def program(comm: ThreadComm) -> None:
        with pytest.raises(StoreFailed, match="No space left on device"):
            opened(store, comm)

    run_ranks(2, program)


def test_only_what_is_needed_is_read() -> None:
    """A rank that wants a slice reads the chunks it lies in, not the parts; all ranks together read little more than all bytes."""
    store = Around(Memory())
    size = 5 * CHUNK + 1000

    def write(comm: ThreadComm) -> None:
        with opened(store, comm) as checkpoint:
            checkpoint.save(1, {"x": np.full(size, comm.rank, np.uint8), "small": np.arange(3)})

    def read(comm: ThreadComm, bounds: tuple[int, int]) -> int:
        with opened(store, comm, read_only=True) as checkpoint:
            found = checkpoint.load(bounds={"x": bounds}, without=["small"])
        assert found
        return int(found.arrays["x"].sum())

    run_ranks(2, write)
    store.bytes_read = 0
    assert run_ranks(1, lambda comm: read(comm, (size - 5, size + 7))) == [7]
    assert store.bytes_read == 1088 + CHUNK  # what `small` lies in, too, of the one; the first chunk of the other
    store.bytes_read = 0
    assert run_ranks(4, lambda comm: read(comm, (2 * size * comm.rank // 4, 2 * size * (comm.rank + 1) // 4))) == [
        0,
        0,
        size // 2,
        size // 2,
    ]
    assert store.bytes_read < 2 * size + 4 * CHUNK


def test_due_is_one_answer_for_all_ranks() -> None:
    """It is time when rank 0's clock says so, counted from the last save, or when any rank wants it."""
    now = [0.0]

    def program(comm: ThreadComm) -> list[bool]:
        checkpoint = opened(Memory(), comm, clock=lambda: now[0] if comm.rank == 0 else 1e9, visible_within=0)
        answers = [checkpoint.due(10), checkpoint.due(10, now=comm.rank == comm.size - 1)]
        comm.Barrier()
        now[0] = 10.0
        comm.Barrier()
        answers.append(checkpoint.due(10))
        if comm.size == 1:
            checkpoint.save(1)
            answers.append(checkpoint.due(10))
            checkpoint.wait()
        return answers

    assert run_ranks(1, program) == [[False, True, True, False]]
    shared = Memory()

    def many(comm: ThreadComm) -> list[bool]:
        checkpoint = opened(shared, comm, clock=lambda: 0.0 if comm.rank == 0 else 1e9)
        return [checkpoint.due(10), checkpoint.due(10, now=comm.rank == 2), checkpoint.due(0)]

    assert run_ranks(3, many) == [[False, True, True]] * 3


def test_other_kind_of_machine_is_marked() -> None:
    """A checkpoint that other processors or another numpy computed is used, with a warning that says what differs."""
    store = Memory()
    checkpoint = opened(store)
    checkpoint._machine["numpy"] = ["1.0"]
    checkpoint._machine["extensions"] = [checkpoint._machine["extensions"][0] + " AVX1024"]
    checkpoint.save(1, wait=True)
    with pytest.warns(CheckpointWarning, match="bits may differ from here on: extensions: without AVX1024; numpy: 1.0 then, "):
        found = opened(store).load()
    assert found
    assert found.unlike


def test_reader_does_not_end_a_run() -> None:
    """Whoever only looks may do so while a run goes on, and cannot save."""
    store = Memory()
    checkpoint = opened(store)
    checkpoint.save(1, wait=True)
    reader = opened(store, read_only=True)
    with pytest.raises(CheckpointError, match="read_only"):
        reader.save(2)
    checkpoint.save(2, wait=True)
    found = reader.load()
    assert found
    assert found.step == 2


def test_program_that_fails_does_not_wait() -> None:
    """An exception that goes through the block is not held up by parts that will never come."""
    store = Memory()

    def program(comm: ThreadComm) -> None:
        checkpoint = opened(store, comm)
        checkpoint._background._ranks = 3  # one more than there are
        save(checkpoint, comm, 1)
        with pytest.raises(ZeroDivisionError), checkpoint:
            comm.rank // 0
        error = checkpoint._background.join()
        assert comm.rank or "the program ended meanwhile" in str(error)

    run_ranks(2, program)


def test_nothing_to_keep_is_refused() -> None:
    """Fewer than one checkpoint cannot be kept."""
    with pytest.raises(CheckpointError, match="keep: 0"):
        opened(Memory(), keep=0)


def test_other_format_is_refused() -> None:
    """A checkpoint in a format this version does not know is refused, not guessed at."""
    store = Memory()
    saved(store, 1, 1)
    key = store.list("journal/")[-1]
    from batchhpc.rank.checkpoint.sealed import seal, unseal

    store.files[key] = seal({**unseal(store.files[key], key), "format": 2})
    with pytest.raises(CheckpointError, match="format 2 with chunks of 8,388,608 bytes"):
        loaded(store, 1)


def test_no_warning_without_reason() -> None:
    """A load with nothing to remark warns of nothing."""
    store = Memory()
    saved(store, 2, 1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in loaded(store, 2):
            assert_same(one, 2)
            assert one
            assert (one.ranks, one.passed_over, one.unlike) == (2, (), "")
