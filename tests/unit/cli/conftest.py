"""What the tests of the command line share: a job spec, and a call of ``main`` with what it printed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchhpc.cli.main import main
from tests.unit.cli.account import Account

JOB = """
name: kmers
image: example/kmers:1
command: [python3, -m, kmers, --k, "21"]
nodes: 4
ranks_per_node: 2
cpus_per_rank: 2
memory_per_node: 8 GiB
"""


@dataclass(frozen=True)
class Said:
    """What a call of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls the command line in this process."""

    def call(*words: object) -> Said:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job spec that is fine."""
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture
def account(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The command line before a small AWS Batch."""
    return Account(cli, tmp_path, monkeypatch)
