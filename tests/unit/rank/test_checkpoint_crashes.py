"""A job is killed at every single step of a save; and the steps of one run fall between those of another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batchhpc.rank.checkpoint import Checkpoint, CheckpointError, Overtaken
from batchhpc.rank.checkpoint.file_store import FileStore
from batchhpc.rank.checkpoint.store import Store
from tests.unit.rank.jobs import ALONE, IDENTITY, assert_same, loaded, save, saved
from tests.unit.rank.stores import Around, Crash, Memory
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

LOOKS = {"open", "os.listdir", "os.scandir"}
CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rmdir", "os.rename", "shutil.rmtree"}


class Killer:
    """Kills, at the n-th change below a directory: Python tells its audit hooks of every file that it opens, links or removes."""

    def __init__(self) -> None:
        self.root, self.at, self.seen, self.dead = "", 0, 0, False
        sys.addaudithook(self.told)

    def told(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.root or event not in LOOKS | CHANGES or not str(args[0]).startswith(self.root):
            return
        if event in LOOKS and (event != "open" or not int(args[2]) & os.O_CREAT):
            if self.dead:
                raise Crash
            return
        self.seen += 1
        if self.dead or self.seen == self.at:
            self.dead = True
            raise Crash

    def arm(self, root: Path | None, at: int = 0) -> None:
        self.root, self.at, self.seen, self.dead = str(root or ""), at, 0, False


_KILLER: list[Killer] = []


@pytest.fixture
def killer() -> Iterator[Killer]:
    """The one of this process: audit hooks cannot be removed, only told to be still."""
    if not _KILLER:
        _KILLER.append(Killer())
    yield _KILLER[0]
    _KILLER[0].arm(None)


def attempt(store: Store, ranks: int, step: int) -> bool:
    """A run that resumes and saves one more step; whether it got through. Its ranks die together."""

    def program(comm: ThreadComm) -> None:
        with Checkpoint(store, comm, **IDENTITY, environ={}) as checkpoint:
            found = checkpoint.load()
            assert_same(found, found.step if found else 0)
            save(checkpoint, comm, step)

    try:
        run_ranks(ranks, program)
    except Crash:
        return False
    except CheckpointError as error:
        assert "Crash()" in str(error)  # noqa: PT017 - it may also get through
        return False
    return True


def assert_whole_afterwards(store: Store, ranks: int, steps: tuple[int, ...]) -> None:
    """One of these steps is found, all of it; the next run saves its own, and then nothing is left of the dead one."""
    found = loaded(store, ranks)
    assert found[0]
    assert found[0].step in steps
    for one in found:
        assert_same(one, found[0].step)
        assert one
        assert not one.passed_over
    saved(store, ranks, 8, 9)
    for one in loaded(store, ranks):
        assert_same(one, 9)
    assert len({key.split("/")[1] for key in store.list("parts/")}) == 2
    assert len(store.list("journal/")) <= 4
    assert not store.list("tmp/")


@pytest.mark.parametrize("how", ["before", "half", "after"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_job_killed_at_any_change_of_its_store(ranks: int, how: str) -> None:
    """Wherever in taking its epoch, writing, committing or cleaning a job dies, a whole checkpoint is found: the old or the new."""
    for die_at in range(1, 100):
        memory = Memory()
        saved(memory, ranks, 1, 2, 3)
        through = attempt(Around(memory, die_at=die_at, how=how), ranks, 4)
        assert_whole_afterwards(memory, ranks, (4,) if through else (3, 4))
        if through:
            break
    assert 8 <= die_at < 99


@pytest.mark.parametrize("ranks", [1, 2])
def test_job_killed_at_any_file_it_opens_links_or_removes(ranks: int, tmp_path: Path, killer: Killer) -> None:
    """The same for each file and directory that a checkpoint on a file system makes, links or removes."""
    through, at = False, 0
    while not through:
        at += 1
        root = tmp_path / str(at)
        store = FileStore(root)
        saved(store, ranks, 1, 2, 3)
        killer.arm(root, at)
        through = attempt(store, ranks, 4)
        killer.arm(None)
        assert_whole_afterwards(store, ranks, (4,) if through else (3, 4))
        assert len(list((root / "parts").iterdir())) == 2  # no empty ones either
    assert at > 12


def test_run_that_begins_between_any_two_steps_of_another() -> None:
    """Whenever a newer run begins, loads and saves, the older one changes nothing that the newer one made or needs."""
    for at in range(1, 200):
        memory = Memory()
        saved(memory, 1, 1, 2)
        newer = Newer(memory, at)
        overtaken = False
        try:
            with Checkpoint(Around(memory, between=newer.step), **IDENTITY, environ={}) as older:
                for step in (4, 5, 6):
                    save(older, ALONE, step)
        except Overtaken:
            overtaken = True
        if newer.checkpoint is None:
            break
        if newer.checkpoint._journal.epoch > older._journal.epoch:
            assert overtaken or newer.found in (5, 6)  # it was over but for the cleaning
            (found,) = loaded(memory, 1)
            assert_same(found, 7)
            save(newer.checkpoint, ALONE, 8)
            newer.checkpoint.wait()
        else:  # the older one had not begun yet
            assert not overtaken
    else:
        pytest.fail("the older run never ends")
    assert at > 20


class Newer:
    """A run that does all it does just before the n-th step of another."""

    def __init__(self, store: Store, at: int) -> None:
        self.store, self.left, self.found = store, at, 0
        self.checkpoint: Checkpoint | None = None

    def step(self, verb: str, key: str) -> None:
        del verb, key
        self.left -= 1
        if self.left == 0:
            self.checkpoint = Checkpoint(self.store, **IDENTITY, environ={})
            found = self.checkpoint.load()
            self.found = found.step if found else 0
            assert_same(found, self.found)
            save(self.checkpoint, ALONE, 7)
            self.checkpoint.wait()


def test_older_run_cannot_commit() -> None:
    """A run that goes on after a newer one began is told so at its next call, whatever its step; its parts are cleaned away."""
    memory = Memory()
    old, new = (Checkpoint(memory, **IDENTITY, environ={}) for _ in range(2))
    new.save(5, {"x": np.arange(5)}, wait=True)
    old.save(900, {"x": np.arange(9)})
    with pytest.raises(Overtaken, match=r"a newer run writes checkpoints here \(entry 3\); this one began as entry 1"):
        old.save(901)
    found = Checkpoint(memory, **IDENTITY, read_only=True).load()
    assert found
    assert found.step == 5
    new.save(6, {"x": np.arange(5)}, wait=True)
    assert {key.split("/")[1] for key in memory.list("parts/")} == {"0000000002-000001", "0000000002-000002"}


def test_late_commit_of_ones_own_is_no_other_run() -> None:
    """An entry that was made though its answer said otherwise is recognised; the next commit goes on after it."""
    memory = Memory()

    class Lost(Around):
        def create(self, key: str, data: bytes) -> bool:
            made = super().create(key, data)
            if key.endswith("2.json") and self.die_at:
                self.die_at = 0
                raise CheckpointError("cannot make it: no answer in 120 s")
            return made

    checkpoint = Checkpoint(Lost(memory, die_at=-1), **IDENTITY, environ={})
    checkpoint.save(1, {"x": np.arange(1)})
    with pytest.raises(CheckpointError, match="no answer"):
        checkpoint.wait()
    checkpoint.save(2, {"x": np.arange(2)}, wait=True)
    found = checkpoint.load()
    assert found
    assert found.step == 2
