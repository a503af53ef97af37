"""A gang's record: as text, and swapped in a directory."""

import threading

import pytest

from batchhpc.agent.record import GangState, Record
from batchhpc.agent.record_store import DirectoryStore, RecordChanged, RecordUnavailable, open_store
from batchhpc.errors import Misconfigured

RECORD = Record(3, GangState.RUNNING, 2, "10.0.0.7", (0, 1, 3))


def test_a_record_comes_back_as_it_went():
    """Text and back, who wrote it included."""
    assert Record.from_json(RECORD.to_json("me/1")) == (RECORD, "me/1")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"mark": "x"}', RECORD.to_json("x").replace("running", "walking")])
def test_what_is_no_record_is_not_taken_for_one(text):
    """Half a document, or somebody else's."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's own, or ours
        Record.from_json(text)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path), "1f")


def test_a_write_needs_what_was_read_before(store):
    """Whoever has not seen the newest record cannot overwrite it."""
    assert store.read() == (None, None)
    first = store.write(RECORD, None, "a")
    assert store.read() == (RECORD, first)
    for stale in (None, "another"):
        with pytest.raises(RecordChanged):
            store.write(RECORD, stale, "b")
    assert store.write(RECORD, first, "c") != first


def test_of_many_writers_one_wins(tmp_path):
    """All at once, over the same version: exactly one is let through."""
    wins = []
    barrier = threading.Barrier(8)

    def write(attempt):
        store = DirectoryStore(tmp_path, "1f")
        barrier.wait()
        try:
            store.write(Record(1, GangState.ASSEMBLING, attempt, ""), None, str(attempt))
        except RecordChanged:
            return
        wins.append(attempt)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = wins
    record, _ = DirectoryStore(tmp_path, "1f").read()
    assert record == Record(1, GangState.ASSEMBLING, winner, "")
    assert not list(tmp_path.glob(".record-*"))


def test_a_directory_that_is_not_there_may_come(tmp_path):
    """A file system that is not mounted yet is tried again."""
    with pytest.raises(RecordUnavailable, match="No such file"):
        open_store(str(tmp_path / "none"), "1f").write(RECORD, None, "a")


def test_what_is_no_record_cannot_be_helped(tmp_path):
    """A file of somebody else's in the record's place is said so, with its name."""
    (tmp_path / "1f.json").write_text("hello")
    with pytest.raises(Misconfigured, match=r"1f\.json"):
        open_store(str(tmp_path), "1f").read()
