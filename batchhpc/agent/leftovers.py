"""Files that killed ranks and killed daemons of MPI leave behind.

An MPI rank that is killed cannot remove its segments of shared memory, 2 MB each with MPICH; and each daemon of MPICH writes down
the machine's topology for its ranks. A container's ``/dev/shm`` and ``/tmp`` go with it, but in a gang they must last for all
generations. Local nodes share this machine's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

DIRECTORY = Path("/dev/shm")  # noqa: S108 - it is what this is about
PREFIXES = ("mpich_shm_", "vader_segment.", "sm_segment.", "Intel_MPI_")
"""How MPICH, Open MPI 4 and 5 and Intel MPI name their segments."""
TOPOLOGIES = Path("/tmp"), "hydra_hwloc_xmlfile_*"  # noqa: S108 - where MPICH's daemons write, whatever TMPDIR says


def remove_topologies(since: float) -> None:
    """Removes this user's topology files of MPICH that came after a moment (Unix seconds).

    Ranks read theirs as they start; if one of another job is taken from under it, it looks at the machine itself.
    """
    directory, pattern = TOPOLOGIES
    for path in directory.glob(pattern):
        if _ours(path, since):
            path.unlink(missing_ok=True)


def remove_segments(since: float) -> None:
    """Removes this user's MPI segments that came after a moment (Unix seconds) and that no process uses."""
    left = [path for path in DIRECTORY.glob("*") if path.name.startswith(PREFIXES) and _ours(path, since)]
    if not left:
        return
    in_use = used()
    for path in left:
        if str(path) not in in_use:
            path.unlink(missing_ok=True)


def _ours(path: Path, since: float) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and status.st_ctime >= since


def used() -> set[str]:
    """Segments that a process has open or mapped.

    In this order: who has just opened one maps it before it closes it.
    """
    found: set[str] = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile, or another user's
                found.update(_link(file) for file in (process / "fd").iterdir())
                maps = (process / "maps").read_text(errors="replace")
                found.update(line.split(None, 5)[5] for line in maps.splitlines() if f" {DIRECTORY}/" in line)
    return found


def _link(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:  # closed meanwhile
        return ""
