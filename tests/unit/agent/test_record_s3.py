"""A gang's record in S3, and what keeps it for a machine, over a bucket in memory that fails on order."""

from __future__ import annotations

import asyncio

import pytest

from batchhpc.agent.events import Looked, Written
from batchhpc.agent.record import GangState, Record
from batchhpc.agent.record_keeper import RecordKeeper
from batchhpc.agent.record_store import RecordChanged, RecordUnavailable, S3Store
from batchhpc.errors import Misconfigured
from tests.unit.agent.fake_s3 import FakeS3

RECORD = Record(3, GangState.RUNNING, 2, "10.0.0.7", (0, 1, 3))


def store(s3):
    return S3Store("bucket", "gangs/1f.json", s3)


def test_a_write_needs_what_was_read_before():
    """Created only where there is none, changed only over the version that was read."""
    kept = store(FakeS3())
    assert kept.read() == (None, None)
    first = kept.write(RECORD, None, "a")
    assert kept.read() == (RECORD, first)
    for stale in (None, '"0"'):
        with pytest.raises(RecordChanged):
            kept.write(RECORD, stale, "b")
    assert kept.write(RECORD, first, "c") != first


@pytest.mark.parametrize("before", [False, True])
def test_a_write_whose_answer_was_lost_knows_itself(before):
    """The SDK asks again and loses against its own first try: that is no lost race."""
    s3 = FakeS3()
    kept = store(s3)
    version = kept.write(RECORD, None, "a") if before else None
    s3.faults = ["lost"]
    assert kept.write(Record(4, GangState.ASSEMBLING, 2, ""), version, "b") == kept.read()[1]


@pytest.mark.parametrize("fault", ["SlowDown", "InternalError", "unreachable", "cut"])
def test_what_may_pass_is_for_another_try(fault):
    """Errors of S3, no connection, and one that breaks while the record is read."""
    s3 = FakeS3()
    kept = store(s3)
    kept.write(RECORD, None, "a")
    s3.faults = [fault]
    with pytest.raises(RecordUnavailable, match=r"s3://bucket/gangs/1f\.json"):
        kept.read()
    assert kept.read()[0] == RECORD


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_what_cannot_be_helped_is_said_so(code):
    """No right to the bucket, or no bucket: the record and the remedy are named."""
    with pytest.raises(Misconfigured, match=rf"s3://bucket/gangs/1f\.json, the record of this gang: {code}; the job's role"):
        store(FakeS3(code)).read()


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "PreconditionFailed"])
def test_a_lost_race_is_one(code):
    """S3 has two ways to say that somebody else was faster."""
    with pytest.raises(RecordChanged):
        store(FakeS3(code)).write(RECORD, None, "a")


def test_a_record_that_was_deleted_is_written_anew():
    """Over a version that is gone, nothing is written in silence."""
    s3 = FakeS3()
    kept = store(s3)
    version = kept.write(RECORD, None, "a")
    s3.objects.clear()
    with pytest.raises(RecordChanged):
        kept.write(RECORD, version, "b")


# --- the keeper


def heard(s3, attempt, *orders):
    """What the machine hears of these orders; None is a look."""

    async def scenario():
        events: asyncio.Queue[object] = asyncio.Queue()
        keeper = RecordKeeper(lambda: store(s3), attempt, events.put_nowait)
        running = asyncio.create_task(keeper.run())
        for order in orders:
            keeper.look() if order is None else keeper.write(order)
        found = [await events.get() for _ in orders]
        running.cancel()
        return found

    return asyncio.run(asyncio.wait_for(scenario(), 20))


def test_orders_are_carried_out_one_after_the_other():
    """Looked at, written, written again."""
    first, second = Record(1, GangState.ASSEMBLING, 1, "a"), Record(1, GangState.RUNNING, 1, "a")
    assert heard(FakeS3(), 1, None, first, second) == [Looked(None), Written(first), Written(second)]


def test_a_leader_never_writes_over_a_newer_one():
    """Not even with a write that was ordered before its look found the newer one."""
    s3 = FakeS3()
    newer = Record(5, GangState.ASSEMBLING, 3, "b")
    store(s3).write(newer, None, "x")
    older = Record(4, GangState.RUNNING, 2, "a")
    assert heard(s3, 2, None, older) == [Looked(newer), Looked(newer)]
    assert store(s3).read()[0] == newer


def test_a_leader_takes_over_from_an_older_one():
    """What an earlier attempt wrote may be replaced, once it was read."""
    s3 = FakeS3()
    older = Record(4, GangState.RUNNING, 1, "a")
    store(s3).write(older, None, "x")
    claim = Record(5, GangState.ASSEMBLING, 2, "b")
    assert heard(s3, 2, None, claim) == [Looked(older), Written(claim)]


def test_a_store_that_fails_for_a_moment_is_tried_again():
    """Nobody hears of it."""
    assert heard(FakeS3("SlowDown", "", "InternalError"), 1, None) == [Looked(None)]
