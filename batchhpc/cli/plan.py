"""``batchhpc plan``."""

from __future__ import annotations

import argparse
import json

from batchhpc.cli.inputs import read_spec
from batchhpc.errors import InvalidSpec
from batchhpc.spec import EnvironmentSpec


def run(args: argparse.Namespace) -> int:
    """Shows what `deploy` would do."""
    spec = read_spec(EnvironmentSpec, args.environment)
    from batchhpc.aws.environments.planning import plan, plan_offline  # noqa: PLC0415 - only what is needed
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415 - likewise
    from batchhpc.cli.deployment import plan_data, show_plan  # noqa: PLC0415 - likewise

    try:
        made = plan_offline(spec) if args.offline else plan(spec, Clients(spec.region), drift=args.drift)
    except InvalidSpec as error:
        raise error.of(args.environment) from error
    if args.json:
        print(json.dumps(plan_data(made), indent=2))
    else:
        show_plan(made, args.environment)
    return 0
