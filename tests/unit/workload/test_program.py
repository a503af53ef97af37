from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from batchhpc.rank import Checkpoint
from examples.workload.arguments import Parser
from examples.workload.communicator import Alone, Communicator
from examples.workload.errors import BadArguments, Malformed
from examples.workload.program import run_program
from tests.unit.workload.thread_ranks import Aborted, run_ranks


def run(ranks: int, check: Callable[[Sequence[str]], str | None], work: Callable[[Communicator, str], None]) -> list[int]:
    return run_ranks(ranks, lambda comm: run_program(comm, Parser("it", "does"), check, work, ["word"]))


def test_arguments_are_checked_once_and_given_to_all() -> None:
    """Rank 0 reads the command line; every rank works with what it found."""
    seen: list[tuple[int, str]] = []
    checked: list[Sequence[str]] = []

    def check(words: Sequence[str]) -> str:
        checked.append(words)
        return "asked"

    assert run(3, check, lambda comm, asked: seen.append((comm.rank, asked))) == [0, 0, 0]
    assert sorted(seen) == [(0, "asked"), (1, "asked"), (2, "asked")]
    assert checked == [["word"]]


def test_wrong_arguments_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """All problems go to stderr, from one rank, and nothing that hides them; the exit code is 2 on all ranks."""

    def check(_: Sequence[str]) -> str:
        raise BadArguments(["-k: is missing", "--out: is missing"])

    assert run(2, check, lambda *_: None) == [2, 2]
    told = capsys.readouterr()
    assert told.err == "it: -k: is missing\nit: --out: is missing\n  hint: --help lists the arguments\n"
    assert told.out == ""


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Help goes to stdout and ends with 0."""
    assert run(1, lambda _: None, lambda *_: None) == [0]
    assert capsys.readouterr().out.startswith("usage: it")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Malformed("x.fq", "no good", "record 1, line 2"), 65, "it: x.fq: record 1, line 2: no good\n"),
        (FileNotFoundError("x does not exist"), 74, "it: x does not exist\n"),
        (gzip.BadGzipFile("odd"), 74, "it: odd\n"),
        (ZeroDivisionError("oh"), 1, "it: rank 1 failed\n"),
        (KeyboardInterrupt(), 130, "it: interrupted\n"),
    ],
)
def test_one_failing_rank_ends_all(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, message: str) -> None:
    """What one rank raises becomes the exit code of all, though the others wait for it; the message is told once."""

    def work(comm: Communicator, _: str) -> None:
        if comm.rank == 1:
            raise error
        comm.Barrier()

    with pytest.raises(Aborted) as aborted:
        run(3, lambda _: "asked", work)
    assert aborted.value.code == code
    assert capsys.readouterr().err.startswith(message)


def test_checkpoint_of_other_arguments_is_told_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What all ranks find wrong with a checkpoint is one message without a traceback, and exit code 2."""

    def work(comm: Communicator, k: str) -> None:
        with Checkpoint(str(tmp_path), comm, inputs={"k": k}, version="1") as checkpoint:
            if not checkpoint.load():
                checkpoint.save(1, state={}, wait=True)

    assert run(2, lambda _: "21", work) == [0, 0]
    assert run(2, lambda _: "31", work) == [2, 2]
    told = capsys.readouterr().err
    assert told.count("it: ") == 1
    assert "Traceback" not in told
    assert "21" in told


def test_alone_keeps_checkpoints(tmp_path: Path) -> None:
    """A program without MPI saves and goes on as ranks do."""
    with Checkpoint(str(tmp_path), Alone(), inputs={}, version="1") as checkpoint:
        assert checkpoint.load() is None
        checkpoint.save(3, {"x": np.arange(4)}, wait=True)
        found = checkpoint.load()
    assert found is not None
    assert (found.step, found.arrays["x"].tolist()) == (3, [0, 1, 2, 3])


def test_alone_fails_without_abort() -> None:
    """A single rank returns its exit code, since nobody waits for it."""

    def work(*_: object) -> None:
        raise OSError("gone")

    assert run_program(Alone(), Parser("it", "does"), lambda _: "asked", work, []) == 74
