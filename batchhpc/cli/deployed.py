"""Deployed environments that the command line names, and the runner for their jobs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from batchhpc.aws.environments.deployed import deployed
from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.aws.sdk import Clients
from batchhpc.cli.inputs import FILES, STDIN, read_data
from batchhpc.compiler import environment_of
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Environment, EnvironmentSpec


class Warnings(list[Problem]):
    """Warnings, kept for JSON, and said on standard error as they come."""

    def __call__(self, problem: Problem) -> None:
        """Takes one."""
        self.append(problem)
        print(problem.text(), file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Named:
    """An environment that the command line names: what jobs must know of it, clients for its Region, its spec if there is one."""

    environment: Environment
    clients: Clients
    spec: EnvironmentSpec | None


def named_environment(args: argparse.Namespace, *, is_deployed: bool = True) -> Named:
    """The environment that ``--environment`` names.

    A name is looked up among what is deployed; so is that of an environment spec's file, if it is to be deployed. The file of a
    hand-written `Environment`, a queue that somebody else made, is taken as it is.

    Args:
        args: with ``environment`` and ``region``.
        is_deployed: whether an environment spec's file stands for what is deployed under its name, or for itself.

    Raises:
        InvalidSpec: the file is neither.
        EnvironmentNotFound: nothing of that name is deployed.
        Unavailable: AWS cannot be asked.
    """
    name, region = args.environment, args.region
    if name == STDIN or name.endswith(FILES):
        data, shown = read_data(name)
        try:
            spec = EnvironmentSpec.from_data(data, shown)
        except InvalidSpec as error:
            try:
                written = Environment.from_data(data, shown)
            except InvalidSpec:
                raise error from None
            return Named(written, Clients(region or written.region), None)
        name, region = spec.name, region or spec.region
        if not is_deployed:
            return Named(environment_of(spec), Clients(region), spec)
    clients = Clients(region)
    spec, environment = deployed(name, clients)
    return Named(environment, clients, spec)


def runner_of(args: argparse.Namespace, warnings: Warnings) -> BatchRunner:
    """A runner that knows jobs by their id: of the environment that is named, or of the Region."""
    named = named_environment(args) if args.environment else Named(Environment(region=args.region), Clients(args.region), None)
    return BatchRunner(named.environment, named.clients, warn=warnings)
