"""Deployed environments that the command line names, and the runner for their jobs."""

from __future__ import annotations

import argparse
import sys

from batchhpc.aws.environments import deployed
from batchhpc.aws.runner import BatchRunner
from batchhpc.aws.sdk import Clients
from batchhpc.cli.inputs import read_spec
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Environment, EnvironmentSpec

_FILES = (".yaml", ".yml", ".json")


class Warnings(list[Problem]):
    """Warnings, kept for JSON, and said on standard error as they come."""

    def __call__(self, problem: Problem) -> None:
        """Takes one."""
        self.append(problem)
        print(problem.text(), file=sys.stderr, flush=True)


def environment_of(args: argparse.Namespace) -> tuple[Environment, Clients]:
    """The environment that ``--environment`` names, and clients for its Region.

    A name is looked up among what is deployed; so is that of an environment spec's file. The file of a hand-written
    `Environment`, a queue that somebody else made, is taken as it is.

    Raises:
        InvalidSpec: the file is neither.
        EnvironmentNotFound: nothing of that name is deployed.
        Unavailable: AWS cannot be asked.
    """
    name, region = args.environment, args.region
    if name.endswith(_FILES):
        try:
            spec = read_spec(EnvironmentSpec, name)
        except InvalidSpec as error:
            try:
                written = read_spec(Environment, name)
            except InvalidSpec:
                raise error from None
            return written, Clients(region or written.region)
        name, region = spec.name, region or spec.region
    clients = Clients(region)
    _, environment = deployed(name, clients)
    return environment, clients


def runner_of(args: argparse.Namespace, warnings: Warnings) -> BatchRunner:
    """A runner that knows jobs by their id: of the environment that is named, or of the Region."""
    if args.environment:
        environment, clients = environment_of(args)
    else:
        environment, clients = Environment(region=args.region), Clients(args.region)
    return BatchRunner(environment, clients, warn=warnings)
