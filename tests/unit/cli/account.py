"""What the tests of verbs that deal with jobs on AWS share: the command line before a small AWS Batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.aws.prices.prices import Prices
from batchhpc.aws.sdk import Clients
from batchhpc.cli import deployed, prices, submit
from batchhpc.cli import list as list_verb
from tests.unit.aws.fake_clients import clients
from tests.unit.aws.fake_jobs import FakeJob
from tests.unit.aws.jobs_on_aws import Aws

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Cli, Said

ENVIRONMENT = "name: test\nqueue: batchhpc-test\nregion: eu-west-1\ninstance_types: [c7i.8xlarge]\nmax_vcpus: 256\n"
JOB = "name: kmers\nimage: example/kmers:1\ncommand: [kmers]\nnodes: 2\nmemory_per_node: 8 GiB\n"


def interrupted() -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


class Account:
    """The command line before a small AWS Batch whose clock only sleeping moves; files of a job and its environment."""

    def __init__(self, cli: Cli, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self._cli = Aws(), cli
        self.job, self.environment = directory / "job.yaml", directory / "env.yaml"
        self.job.write_text(JOB)
        self.environment.write_text(ENVIRONMENT)
        self.regions: list[str | None] = []
        for module in (deployed, list_verb):
            monkeypatch.setattr(module, "Clients", self._clients)
        for module in (deployed, submit):
            monkeypatch.setattr(module, "BatchRunner", self._runner)
        # What jobs cost has tests of its own: nobody is asked here.
        monkeypatch.setattr(prices, "Prices", lambda asked, *_: Prices(asked, offline=True))
        monkeypatch.setattr(prices, "Clients", lambda *_, **__: self._known(clients(self.aws.fake)))

    def _clients(self, region: str | None = None) -> Clients:
        self.regions.append(region)
        return self._known(clients(self.aws.fake))

    def _known(self, made: Clients) -> Clients:
        made.__dict__["region"] = "eu-west-1"
        return made

    def _runner(self, *words: Any, **options: Any) -> BatchRunner:
        return BatchRunner(*words, **options, pace=self.aws.time.pace)

    def __call__(self, *words: object) -> Said:
        return self._cli(*words)

    def submit(self, *words: object) -> Said:
        """Submits the job of the file."""
        return self("submit", self.job, "--environment", self.environment, *words)

    def then(self, *steps: Callable[[], object]) -> None:
        """What happens at the pauses, one step each."""
        rest = iter(steps)

        def step() -> None:
            next(rest, interrupted)()

        self.aws.time.on_sleep = step

    def run(self) -> None:
        """The newest job runs on all its nodes, each of which puts out a line."""
        self.newest.run()
        for node in self.newest.nodes:
            self.aws.fake.logs.put(node.stream, (node.index or 0, f"hello {node.index}"))

    @property
    def newest(self) -> FakeJob:
        return list(self.aws.fake.jobs.values())[-1]

    def end(self, code: int) -> FakeJob:
        """A job of two nodes that has ended with this code."""
        _, held = self.aws.submit(2)
        held.run()
        held.finish(code)
        return held
