"""``batchhpc cost``."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from batchhpc.cli.inputs import STDIN, compiled, read_job, read_spec
from batchhpc.compiler.billing import Item, volume_items
from batchhpc.compiler.environment import environment_of, plan_environment
from batchhpc.compiler.overlay import merged
from batchhpc.compiler.stack.template import template
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Environment, EnvironmentSpec

_JOB_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}([#:]\d+)?"
_IS_ENVIRONMENT_SPEC = "max_nodes"  # a field that only what `deploy` takes must have


def run(args: argparse.Namespace) -> int:
    """What a job can cost, or what one cost."""
    return _spent(args) if re.fullmatch(_JOB_ID, args.job) else _estimate(args)


def _estimate(args: argparse.Namespace) -> int:
    if not args.environment:
        hint = "--environment ENV: an environment spec, or the name of a deployed environment"
        raise InvalidSpec([Problem("", "what a job costs depends on where it runs", hint)], "batchhpc cost")
    from batchhpc.aws.job_costs import estimate  # noqa: PLC0415 - the AWS SDK is for those who ask it
    from batchhpc.aws.price_cache import cache_file  # noqa: PLC0415
    from batchhpc.aws.prices import Prices  # noqa: PLC0415
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415

    environment, spec = named_environment(args.environment, args.region)
    clients = Clients(args.region or environment.region)
    job = compiled(read_job(args, environment), environment, args.job)
    known = estimate(job, Prices(clients, cache_file(clients.region)), volumes_of(spec))
    print(json.dumps({"job": job.submit["jobName"], **known.to_data()}, indent=2) if args.json else known.text())
    return 0


def named_environment(name: str, region: str | None) -> tuple[Environment, EnvironmentSpec | None]:
    """What a job must know of an environment, and its spec: of a file, or of a deployed environment.

    Args:
        name: a file of an environment spec or of what jobs must know of one; else the name of a deployed environment.
        region: where it is deployed; what the AWS SDK finds if left out.

    Raises:
        InvalidSpec: the file is wrong.
        EnvironmentNotFound: there is no such file, and no environment of that name in the Region.
        Unavailable: AWS cannot be asked.
    """
    if name == STDIN or Path(name).exists() or Path(name).suffix in (".yaml", ".yml", ".json"):
        if name != STDIN and Path(name).is_file() and _IS_ENVIRONMENT_SPEC in Path(name).read_text("utf-8", "replace"):
            spec = read_spec(EnvironmentSpec, name)
            return environment_of(spec), spec
        return read_spec(Environment, name), None
    from batchhpc.aws.environments import deployed  # noqa: PLC0415 - the AWS SDK is for those who ask it
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415

    spec, environment = deployed(name, Clients(region))
    return environment, spec


def volumes_of(spec: EnvironmentSpec | None) -> list[Item]:
    """The EBS volumes of each node; none if nobody described them."""
    return [] if spec is None else volume_items(merged(template(plan_environment(spec)), spec.overlay))


def _spent(args: argparse.Namespace) -> int:
    from batchhpc.aws.describe import parent_of  # noqa: PLC0415 - likewise
    from batchhpc.aws.polling import describe  # noqa: PLC0415
    from batchhpc.aws.price_cache import cache_file  # noqa: PLC0415
    from batchhpc.aws.prices import Prices  # noqa: PLC0415
    from batchhpc.aws.runner import BatchRunner  # noqa: PLC0415
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415
    from batchhpc.aws.spending import spent_by  # noqa: PLC0415

    clients, job_id = Clients(args.region), parent_of(args.job)
    status = BatchRunner(Environment(region=args.region), clients).status(job_id)
    detail = next(iter(describe(clients.batch, [job_id])))
    known = spent_by(detail, status, clients, Prices(clients, cache_file(clients.region)))
    print(json.dumps({"id": job_id, **known.to_data()}, indent=2) if args.json else known.text())
    return 0
