from __future__ import annotations

import io
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.rank.checkpoint import Checkpoint, CheckpointDamaged, CheckpointMismatch, CheckpointWarning, StoreFailed
from batchhpc.rank.checkpoint.file_store import FileStore
from batchhpc.rank.checkpoint.manifest import CHUNK
from batchhpc.rank.checkpoint.retrying import keep_trying
from tests.unit.rank.jobs import ALONE, IDENTITY, assert_same, loaded, save, saved
from tests.unit.rank.stores import Memory


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_noticed_or_harmless(data: st.DataObject) -> None:
    """Whichever byte of whichever file changes, or wherever a file ends early, what is loaded is a step's state to the bit.

    If it is not the newest step, the warning names what is damaged.
    """
    store = Memory()
    saved(store, 2, 1, 2)
    key = data.draw(st.sampled_from(sorted(store.files)))
    at = data.draw(st.integers(0, len(store.files[key]) - 1))
    content = bytearray(store.files[key])
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
        store.files[key] = bytes(content)
    else:
        store.files[key] = bytes(content[:at])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = loaded(store, 2)
    step = found[0].step if found[0] else 0
    for one in found:
        assert_same(one, step)
        assert one
        assert bool(caught) == (step == 1) == bool(one.passed_over)
    assert step == 2 or key in str(caught[0].message)


def test_damaged_part_is_named_and_passed_over_by_all_ranks() -> None:
    """A damage in one rank's bytes makes every rank use the checkpoint before; the warning has file, expected and found."""
    store = Memory()
    saved(store, 3, 1, 2)
    newest = max(key for key in store.files if key.endswith("000002.bin"))
    content = bytearray(store.files[newest])
    content[0] ^= 1
    store.files[newest] = bytes(content)
    with pytest.warns(CheckpointWarning, match="the one before is used: step 1") as caught:
        found = loaded(store, 3)
    for one in found:
        assert_same(one, 1)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("checkpoint of step 2 (memory/journal/0000000003.json): rank 2: memory/parts/")
    assert f"{newest}: bytes 0 to {len(content):,}: expected CRC-32 " in text


def test_lost_part_is_damage() -> None:
    """A part that is not there any more is named like one that changed."""
    store = Memory()
    saved(store, 2, 1, 2)
    del store.files[max(key for key in store.files if key.endswith("000001.bin"))]
    with pytest.warns(CheckpointWarning, match=r"000001\.bin: not there"):
        loaded(store, 2)


def test_nothing_whole_is_an_error() -> None:
    """If every checkpoint is damaged the program does not begin anew by itself: all are named."""
    store = Memory()
    saved(store, 1, 1, 2)
    for key in store.files:
        if key.endswith(".bin"):
            store.files[key] = b""
    with pytest.raises(CheckpointDamaged) as caught:
        loaded(store, 1)
    assert "checkpoint of step 2" in str(caught.value)
    assert "checkpoint of step 1" in str(caught.value)
    assert "expected 2,000 bytes, found 0" not in str(caught.value)
    assert "hint: delete memory to start anew" in str(caught.value)


def test_one_that_was_fallen_back_to_is_kept() -> None:
    """A damaged checkpoint does not count as kept: the good one before it stays until enough good ones are newer."""
    store = Memory()
    saved(store, 1, 1, 2, 3, keep=3)
    newest = max(key for key in store.files if key.endswith(".bin"))
    store.files[newest] = b""

    def steps() -> list[int]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = loaded(store, 1)[0]
        assert found
        return [found.step, sum("checkpoint of step" in text for text in found.passed_over)]

    checkpoint = Checkpoint(store, **IDENTITY, environ={})
    with pytest.warns(CheckpointWarning):
        found = checkpoint.load()
    assert_same(found, 2)
    save(checkpoint, ALONE, 4)
    checkpoint.wait()
    store.files[max(key for key in store.files if key.endswith(".bin"))] = b""
    assert steps() == [2, 2]


def test_last_ones_are_kept_and_older_ones_removed() -> None:
    """Of one run and of many, exactly the newest ``keep`` checkpoints are left, and nothing of the others."""
    store = Memory()
    for steps in ((1, 2, 3, 4, 5), (6,), (7,), (8, 9)):
        saved(store, 2, *steps, keep=3)
    assert len({key.split("/")[1] for key in store.list("parts/")}) == 3
    saved(store, 2, 10, keep=1)
    assert len({key.split("/")[1] for key in store.list("parts/")}) == 1
    assert len(store.list("parts/")) == 4


def test_another_program_at_the_same_place_is_refused_before_it_takes_it_over() -> None:
    """Also one that would never load: the program that is at work there goes on."""
    store = Memory()
    with Checkpoint(store, **IDENTITY, environ={}) as running:
        running.save(1, {"x": np.arange(1)}, wait=True)
        with pytest.raises(CheckpointMismatch, match="version: '1' there, 'another' here"):
            Checkpoint(store, **{**IDENTITY, "version": "another"}, environ={})
        running.save(2, {"x": np.arange(2)}, wait=True)


def test_reader_begins_again_when_its_checkpoint_is_removed() -> None:
    """What a running program removes while it is read is no damage: the reader takes a newer one, without a warning."""
    memory = Memory()
    saved(memory, 1, 1)
    running = Checkpoint(memory, **IDENTITY, environ={}, keep=1)
    newer = iter([5])

    class Slow(Memory):
        def read(self, key: str) -> bytes:
            return memory.read(key)

        def read_into(self, key: str, start: int, into: memoryview) -> int:
            if step := next(newer, None):
                running.save(step, {"x": np.arange(step)}, wait=True)
            return memory.read_into(key, start, into)

        def list(self, prefix: str) -> list[str]:
            return memory.list(prefix)

    found = Checkpoint(Slow(), **IDENTITY, read_only=True).load()
    assert found
    assert (found.step, found.passed_over) == (5, ())


def test_files_hold_what_was_written(tmp_path: Path) -> None:
    """A directory keeps many bytes and few, tells once who made a key, gives any range, lists what is there and removes it."""
    store = FileStore(tmp_path / "deep" / "er")
    data = np.random.default_rng(1).bytes(CHUNK * 2 + 5)
    store.write("parts/a/1.bin", memoryview(data))
    assert [store.create("parts/a/1.json", text) for text in (b"one", b"two")] == [True, False]
    assert store.read("parts/a/1.json") == b"one"
    assert store.read("parts/a/1.bin") == data
    for start, wanted in ((0, 3), (CHUNK - 3, 12), (2 * CHUNK, CHUNK), (3 * CHUNK, CHUNK)):
        into = bytearray(wanted)
        came = store.read_into("parts/a/1.bin", start, memoryview(into))
        assert into[:came] == data[start : start + wanted]
        assert came == len(data[start : start + wanted])
    assert store.list("parts/") == ["parts/a/1.bin", "parts/a/1.json"]
    assert store.list("parts/a/") == ["parts/a/1.bin", "parts/a/1.json"]
    assert store.list("nothing/") == []
    (tmp_path / "deep" / "er" / "tmp" / "left").write_bytes(b"by somebody who died")
    store.sweep(lambda _: True)
    store.delete(["parts/a/1.bin", "parts/a/1.json", "parts/a/never"])
    assert store.list("parts/") == []
    assert store.list("tmp/") == []
    assert not (tmp_path / "deep" / "er" / "parts" / "a").exists()


def test_file_system_that_refuses_is_named(tmp_path: Path) -> None:
    """An error of the file system becomes one that names the file and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match=f"cannot make {tmp_path}/file/journal/0000000001.json: {tmp_path}/file is no directory"):
        Checkpoint(tmp_path / "file", **IDENTITY)


@pytest.mark.parametrize(("failures", "deadline", "attempts"), [(0, 1.0, 1), (3, 60.0, 4), (100, 60.0, None)])
def test_trying_again_ends(failures: int, deadline: float, attempts: int | None) -> None:
    """What may pass is tried again with longer and longer pauses, until it succeeds or the deadline would pass."""
    now, tries, log = [0.0], itertools.count(1), io.StringIO()

    def attempt() -> int:
        number = next(tries)
        log.write(f"{number} ")
        if number <= failures:
            raise ConnectionError(number)
        return number

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def go() -> int:
        return keep_trying(attempt, lambda error: isinstance(error, ConnectionError), deadline, clock=lambda: now[0], sleep=sleep)

    if attempts:
        assert go() == attempts
    else:
        with pytest.raises(ConnectionError):
            go()
        assert deadline - 10 <= now[0] <= deadline
        assert 8 <= len(log.getvalue().split()) <= 25


def test_what_does_not_pass_is_raised_at_once() -> None:
    """An error that another try would meet again is not tried again."""
    with pytest.raises(ValueError, match="no"):
        keep_trying(lambda: int("no"), lambda _: False, 60.0)
