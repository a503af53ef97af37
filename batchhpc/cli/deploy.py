"""``batchhpc deploy``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from batchhpc.cli.inputs import read_spec
from batchhpc.errors import InvalidSpec
from batchhpc.spec import EnvironmentSpec

if TYPE_CHECKING:
    from batchhpc.aws.environments.planning import DeploymentPlan


def run(args: argparse.Namespace) -> int:
    """Deploys an environment; 1 if that was declined."""
    from batchhpc.aws.environments.deploy import Outcome, deploy  # noqa: PLC0415 - only what is needed
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415 - likewise
    from batchhpc.cli.deployment import ask, check_terminal, plan_data, show_plan, shown_progress  # noqa: PLC0415 - likewise

    check_terminal(args)
    spec = read_spec(EnvironmentSpec, args.environment)
    plans: list[dict[str, Any]] = []

    def confirm(plan: DeploymentPlan) -> bool:
        plans.append(plan_data(plan))
        if not args.json:
            show_plan(plan, args.environment)
        return args.yes or ask(f"Deploy environment {plan.environment}?")

    with shown_progress(to_errors=args.json) as progress:
        try:
            made = deploy(
                spec,
                Clients(spec.region),
                confirm=confirm,
                progress=progress,
                allow_data_loss=args.allow_data_loss,
                drift=args.drift,
            )
        except InvalidSpec as error:
            raise error.of(args.environment) from error
        except KeyboardInterrupt:
            if plans:
                print("left alone: what was started goes on in AWS; the same command follows it", file=sys.stderr)
            raise
    if args.json:
        outputs = dict(made.stack.outputs) if made.stack else {}
        print(json.dumps({"outcome": made.outcome, "outputs": outputs, "plan": plans[-1] if plans else None}, indent=2))
    elif made.outcome is Outcome.UNCHANGED:
        print(f"environment {spec.name}: nothing to do, it is as the spec says")
    else:
        print(f"environment {spec.name}: {made.outcome}")
    return 1 if made.outcome is Outcome.DECLINED else 0
