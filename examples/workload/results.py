"""Output files: written by all ranks at once, the same bytes for any number of them, and visible only when whole.

Until then each file is called ``NAME.MARK.partial``, where the mark is the run's own. A rank writes its part of a file at its own
place in it, so the directory must be one that all nodes see; `prepare` finds out before the work begins.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.workload.communicator import Communicator

_MARK_BYTES = 4
_ANY_MARK = "[0-9a-f]" * 2 * _MARK_BYTES  # as a pattern of file names
_SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run's results go.

    Attributes:
        out: the directory.
        mark: part of the names of unfinished files, different in each run.
        names: of all files that a run may write, "folder/name" among them; where the last one is, all the others are whole.
    """

    out: Path
    mark: str
    names: tuple[str, ...]

    def partial(self, name: str) -> Path:
        """What a file is called as long as it is not whole."""
        return self.out / f"{name}.{self.mark}.partial"

    def make_visible(self) -> None:
        """Give all files their names, in place of an earlier run's."""
        (self.out / self.names[-1]).unlink(missing_ok=True)  # the earlier results end here
        for name in self.names:
            if self.partial(name).exists():
                self.partial(name).replace(self.out / name)
            else:
                (self.out / name).unlink(missing_ok=True)  # an earlier run's, not part of this one
        for folder in {Path(name).parent for name in self.names} - {Path()}:
            with suppress(OSError):  # still holds what this run wrote, or somebody else's files
                (self.out / folder).rmdir()


def prepare(comm: Communicator, out: Path, names: Sequence[str]) -> Place:
    """Make the directory, remove what broken runs left in it, and see that all ranks share it.

    Raises:
        FileNotFoundError: this rank sees another directory than rank 0.
    """
    place = Place(out, comm.bcast(secrets.token_hex(_MARK_BYTES) if comm.rank == 0 else None), tuple(names))
    if comm.rank == 0:
        for folder in {(out / name).parent for name in names} | {out}:
            folder.mkdir(parents=True, exist_ok=True)
        for name in (*names, _SHARED):
            for left in out.glob(f"{name}.{_ANY_MARK}.partial"):
                left.unlink()
        place.partial(_SHARED).touch()
    comm.Barrier()  # rank 0 made its file
    if not place.partial(_SHARED).exists():
        raise FileNotFoundError(f"{out}: rank {comm.rank} does not see what rank 0 writes there; --out must be shared by all nodes")
    comm.Barrier()  # all ranks saw it
    if comm.rank == 0:
        place.partial(_SHARED).unlink()
    return place


@contextmanager
def naming(path: Path, size: int) -> Iterator[None]:
    """Whatever goes wrong while a file of so many bytes is written is said with its path; what has been written of it goes."""
    try:
        yield
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written, which takes {size:,} bytes: {error.strerror or error}") from error


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """What stands before the elements in the .npy file of an array."""
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def write_in_rank_order(comm: Communicator, path: Path, header: bytes, size: int, parts: Iterable[Any]) -> None:
    """Write one file: the header, then the parts of rank 0, of rank 1, ...; collective.

    Args:
        comm: the ranks.
        path: of the file; each rank writes at its own place in it.
        header: rank 0's.
        size: bytes of this rank's parts together.
        parts: bytes, or contiguous arrays.
    """
    sizes = comm.allgather((len(header), size))
    start = sizes[0][0]
    whole = start + sum(own for _, own in sizes)
    with naming(path, whole):
        if comm.rank == 0:
            with path.open("wb") as file:
                file.write(header)
                file.truncate(whole)
        comm.Barrier()  # the file is there
        with path.open("r+b") as file:
            file.seek(start + sum(own for _, own in sizes[: comm.rank]))
            for part in parts:
                file.write(part)
