"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchhpc.cli.main import main
from batchhpc.local import LocalRunner
from tests.e2e.emulator import Cli, Emulator, running
from tests.e2e.local_jobs import local_runner


@pytest.fixture(autouse=True)
def price_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of an emulator are kept for its test only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[LocalRunner]:
    with local_runner(tmp_path / "state") as made:
        yield made


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    """One emulator for all tests of a session."""
    with running() as made:
        yield made


@pytest.fixture
def emulator(emulator_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that knows nothing yet; this process's own SDK speaks to it, too."""
    emulator_process.reset()
    for name, value in emulator_process.variables.items():
        monkeypatch.setenv(name, value)
    yield emulator_process
    emulator_process.release()


@pytest.fixture
def cli(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls the command line in this process, with the emulator for AWS; gives exit code, output and errors."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call
