from __future__ import annotations

import errno
import io
from pathlib import Path

import numpy as np
import pytest

from examples.workload.results import naming, npy_header, prepare, write_in_rank_order
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

NAMES = ("table/a.npy", "b.txt", "last.json")


@pytest.mark.parametrize("ranks", [1, 3])
def test_ranks_write_one_file_in_their_order(tmp_path: Path, ranks: int) -> None:
    """The parts of all ranks, empty ones too, stand behind the header in the order of ranks."""

    def program(comm: ThreadComm) -> None:
        place = prepare(comm, tmp_path, NAMES)
        mine = np.arange(comm.rank * 10, comm.rank * 10 + comm.rank, dtype=np.int64)
        header = npy_header(mine.dtype, (sum(range(comm.size)),))
        write_in_rank_order(comm, place.partial("table/a.npy"), header, mine.nbytes, [mine[:1], mine[1:]])
        comm.Barrier()
        if comm.rank == 0:
            place.make_visible()

    run_ranks(ranks, program)
    expected = [rank * 10 + each for rank in range(ranks) for each in range(rank)]
    assert np.load(tmp_path / "table/a.npy").tolist() == expected


def test_results_become_visible_together_and_replace_earlier_ones(tmp_path: Path) -> None:
    """An earlier run's files go, also those that this run does not write, and so does what a broken run left; others stay."""

    def program(comm: ThreadComm, written: tuple[str, ...]) -> None:
        place = prepare(comm, tmp_path, NAMES)
        for name in written:
            place.partial(name).write_text(" ".join(written))
        place.make_visible()

    (tmp_path / "mine.txt").touch()
    run_ranks(1, lambda comm: program(comm, NAMES))
    (tmp_path / "b.txt.0123abcd.partial").touch()
    (tmp_path / "b.txt.mine.partial").touch()
    run_ranks(1, lambda comm: program(comm, ("b.txt", "last.json")))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["b.txt", "b.txt.mine.partial", "last.json", "mine.txt"]
    assert (tmp_path / "last.json").read_text() == "b.txt last.json"


def test_unshared_directory_is_found_before_the_work(tmp_path: Path) -> None:
    """A rank that does not see what rank 0 writes says so."""
    with pytest.raises(FileNotFoundError, match="rank 1 does not see what rank 0 writes there"):
        run_ranks(2, lambda comm: prepare(comm, tmp_path / str(comm.rank), NAMES))


def test_what_cannot_be_written_is_named_and_goes(tmp_path: Path) -> None:
    """A full disk is told with the path and the bytes that it takes, and the half of a file does not stay to fill it."""
    path = tmp_path / "big"
    path.write_bytes(b"half")
    with (
        pytest.raises(OSError, match=r"big cannot be written, which takes 1,000 bytes: No space left"),
        naming(path, 1000),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not path.exists()


def test_npy_header_is_numpys() -> None:
    """Header and elements together are what numpy saves."""
    array = np.arange(6, dtype=np.uint32).reshape(3, 2)
    saved = io.BytesIO()
    np.save(saved, array)
    assert npy_header(array.dtype, array.shape) + array.tobytes() == saved.getvalue()
