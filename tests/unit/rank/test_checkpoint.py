from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.rank.checkpoint import Checkpoint, CheckpointError, CheckpointMismatch, CheckpointWarning
from batchhpc.rank.checkpoint.errors import StoreFailed
from batchhpc.rank.checkpoint.manifest import CHUNK
from tests.unit.genomics.thread_ranks import ThreadComm, run_ranks
from tests.unit.rank.jobs import COLUMNS, IDENTITY, PATHS, assert_same, grid, loaded, paths, save, saved
from tests.unit.rank.stores import Around, Failing, Memory

COUNTS = (1, 2, 3, 4)


def opened(store: Any, comm: ThreadComm | None = None, **options: Any) -> Checkpoint:
    return Checkpoint(store, comm, **{**IDENTITY, "environ": {}, **options})


@pytest.mark.parametrize("then", COUNTS)
@pytest.mark.parametrize("now", COUNTS)
def test_any_number_of_ranks_finds_the_same_bits(then: int, now: int) -> None:
    """What 1 to 4 ranks have saved, 1 to 4 ranks load: their pieces laid end to end are the global arrays, to the bit."""
    store = Memory()
    saved(store, then, 7)
    found = loaded(store, now, without=() if then == now else ["generator"])
    for one in found:
        assert_same(one, 7)
    pieces = [one.arrays for one in found if one]
    assert np.concatenate([piece["paths"] for piece in pieces]).tobytes() == paths(7).tobytes()
    assert np.concatenate([piece["grid"] for piece in pieces], axis=1).tobytes() == grid(7).tobytes()
    if then == now:
        assert [one.per_rank["generator"].tolist() for one in found if one] == [[7, rank] for rank in range(now)]


DTYPES: list[Any] = ["u1", "<i2", ">f8", "c16", "?", "U3", "M8[s]", [("a", "<f4", (2,)), ("b", ">i8")]]


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    others=st.lists(st.integers(0, 3), max_size=2),
    place=st.integers(0, 2),
    dtype=st.sampled_from(DTYPES),
    now=st.sampled_from(COUNTS),
    fortran=st.booleans(),
)
def test_any_array_comes_back(*, lengths: list[int], others: list[int], place: int, dtype: Any, now: int, fortran: bool) -> None:
    """Whatever an array's type, shape, order in memory, split axis and pieces (empty ones too), any ranks load it as it was."""
    axis = min(place, len(others))
    shape = (*others[:axis], sum(lengths), *others[axis:])
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = np.frombuffer((np.arange(size) % 50).astype(np.uint8).tobytes() or b"", np.uint8)
    whole = np.ndarray(shape, dtype, whole.copy().data if size else None)
    pieces = np.split(whole, np.cumsum(lengths)[:-1], axis)
    store = Memory()

    def write(comm: ThreadComm) -> None:
        piece = np.asfortranarray(pieces[comm.rank]) if fortran else pieces[comm.rank]
        with opened(store, comm) as checkpoint:
            checkpoint.save(1, {"x": piece}, axes={"x": axis - len(shape)}, shared={"x too": np.array(2.5)})

    def read(comm: ThreadComm) -> Any:
        found = opened(store, comm).load()
        assert found
        assert found.shared["x too"][()] == 2.5
        return found.arrays["x"]

    run_ranks(len(lengths), write)
    found = run_ranks(now, read)
    assert {piece.dtype for piece in found} == {whole.dtype}
    again = np.concatenate(found, axis).astype(dtype)  # numpy joins structures in native byte order
    assert (again.shape, again.tobytes()) == (whole.shape, whole.tobytes())


def test_shares_may_overlap_and_differ() -> None:
    """Each rank may ask for the share it wants: with a halo, or nothing."""
    store = Memory()
    saved(store, 3, 1)
    for bounds in ((0, PATHS), (40, 70), (5, 5)):
        found = loaded(store, 2, bounds={"paths": bounds}, without=["generator"])
        assert [one.bounds["paths"] for one in found if one] == [bounds, bounds]
        for one in found:
            assert_same(one, 1)


def test_bounds_that_do_not_fit_are_all_named() -> None:
    """Every share that cannot be, or is of no split array, is named, with the numbers."""
    store = Memory()
    saved(store, 2, 1)
    with pytest.raises(CheckpointError) as caught:
        loaded(store, 2, bounds={"paths": (90, 102), "grid": (-1, 3), "sums": (0, 1)})
    text = str(caught.value)
    assert "bounds['sums']: the checkpoint has no such split array" in text
    assert f"bounds['paths']: 90 to 102, but the array goes from 0 to {PATHS}" in text
    assert f"bounds['grid']: -1 to 3, but the array goes from 0 to {COLUMNS}" in text


def test_per_rank_arrays_need_as_many_ranks() -> None:
    """Arrays that each rank has for itself are refused on another number of ranks; the message says what to do instead."""
    store = Memory()
    saved(store, 3, 1)
    with pytest.raises(CheckpointError, match=r"per_rank arrays generator: saved by 3 ranks.*there are 2 now\n  hint: .*without="):
        loaded(store, 2)


def test_nothing_there_is_no_error() -> None:
    """Where nothing was saved yet, there is nothing to load."""
    assert loaded(Memory(), 2) == [None, None]
    assert opened(Memory()).load() is None


def test_what_changes_after_save_is_not_saved() -> None:
    """The program may go on with its arrays as soon as save has returned, though nothing is written yet."""
    gate: list[str] = []
    values, more = np.zeros(1000), np.zeros(1000)

    def between(verb: str, _: str) -> None:
        gate.append(verb)
        if verb == "write":
            values[:], more[:] = 1, 1  # before the first byte is written

    store = Around(Memory(), between=between)
    with opened(store) as checkpoint:
        checkpoint.save(1, {"x": values}, shared={"y": more})
    assert "write" in gate
    found = opened(store).load()
    assert found
    assert not found.arrays["x"].any()
    assert not found.shared["y"].any()


def test_second_save_waits_for_the_first() -> None:
    """Saves do not overtake each other: the parts of the second are written after the first is committed."""
    seen: list[str] = []
    store = Around(Memory(), between=lambda verb, key: seen.append(key) if verb in ("write", "create") else None)
    with opened(store, keep=3) as checkpoint:
        for step in (1, 2, 3):
            checkpoint.save(step, {"x": np.arange(step)})
    journal = [key for key in seen if key.startswith("journal")]
    assert [seen.index(key) for key in journal] == [0, 3, 6, 9]


def test_all_that_is_wrong_with_a_save_is_named() -> None:
    """Every array that cannot be stored is named, with the reason."""
    with pytest.raises(CheckpointError) as caught:
        opened(Memory()).save(
            1,
            {"a": np.array([{}]), "b": np.array(1.0), "c": np.zeros(3)},
            axes={"c": 1, "d": 0},
            per_rank={"c": np.zeros(1), "e": np.zeros(1)},
            shared={"e": np.zeros(1)},
        )
    assert str(caught.value).splitlines() == [
        "axes['d']: no array of that name among arrays",
        "arrays['a']: dtype object holds Python objects, which have no bytes to store",
        "arrays['b']: split along axis 0, but it has 0 dimensions",
        "arrays['c']: split along axis 1, but it has 1 dimensions",
        "shared['e']: per_rank has one of that name, too",
    ]


@pytest.mark.parametrize(
    ("state", "why"), [({1: 2}, "keys that are no text"), ([{"a": {None: 1}}], "keys"), ({"a": {1, 2}}, "JSON")]
)
def test_state_that_json_would_change_is_refused(state: Any, why: str) -> None:
    """A state that would come back as something else is not saved."""
    with pytest.raises(CheckpointError, match=why):
        opened(Memory()).save(1, state=state)


def of_rank(values: list[Any]) -> Callable[[ThreadComm], Any]:
    return lambda comm: values[comm.rank]


@pytest.mark.parametrize(
    ("step", "arrays", "text"),
    [
        (of_rank([1, 2]), of_rank([{}, {}]), "save: step 1 on rank 0, but step 2 on rank 1"),
        (
            of_rank([1, 1]),
            of_rank([{"a": np.zeros(2)}, {}]),
            "save: array 'a' is split, <f8, axis 0, shape .* on rank 0, but not there",
        ),
        (of_rank([1, 1]), of_rank([{"a": np.zeros(2)}, {"a": np.zeros(2, "f4")}]), "<f8.* on rank 0, but split, <f4"),
        (of_rank([1, 1]), of_rank([{"a": np.zeros((2, 3))}, {"a": np.zeros((2, 4))}]), r"shape \[3\] .* but .* shape \[4\]"),
        (of_rank([1, 1]), of_rank([{"a": np.zeros(2)}, {"a": np.array(None)}]), "rank 1: arrays\\['a'\\]: dtype object"),
    ],
)
def test_ranks_that_save_different_things_are_told(step: Any, arrays: Any, text: str) -> None:
    """Every rank raises where ranks do not agree on what is saved, and nothing is written."""
    store = Memory()

    def program(comm: ThreadComm) -> None:
        checkpoint = opened(store, comm)
        with pytest.raises(CheckpointError, match=text):
            checkpoint.save(step(comm), arrays(comm))
        checkpoint.wait()

    run_ranks(2, program)
    assert not store.list("parts/")


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
