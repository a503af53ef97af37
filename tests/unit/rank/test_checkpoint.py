from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.rank.checkpoint import CheckpointError
from tests.unit.rank.jobs import COLUMNS, PATHS, assert_same, grid, loaded, opened, paths, saved
from tests.unit.rank.stores import Around, Memory
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

COUNTS = (1, 2, 3, 4)


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
