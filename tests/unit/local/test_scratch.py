"""Directories of nodes, and of runners that were killed."""

import os
import tempfile
from pathlib import Path

from batchhpc.local.scratch import new_scratch


def test_what_a_killed_runner_left_is_removed_and_what_others_use_is_not():
    """A directory of a process that is no more goes with the next run; one of a process that lives stays."""
    gone = Path(tempfile.mkdtemp(prefix="bhpc-999999999-", dir="/tmp"))
    (gone / "file").touch()
    used = Path(tempfile.mkdtemp(prefix=f"bhpc-{os.getppid()}-", dir="/tmp"))
    new = new_scratch()
    assert not gone.exists()
    assert used.exists()
    assert new.is_dir()
    used.rmdir()
    new.rmdir()
