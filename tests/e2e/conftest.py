"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchhpc.local import LocalRunner
from tests.e2e.local_jobs import local_runner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[LocalRunner]:
    with local_runner(tmp_path / "state") as made:
        yield made
