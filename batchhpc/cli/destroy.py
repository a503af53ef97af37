"""``batchhpc destroy``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from batchhpc.cli.inputs import STDIN, read_spec
from batchhpc.cli.wording import counted
from batchhpc.errors import InvalidSpec, Problem, StackFailed
from batchhpc.spec import EnvironmentSpec

if TYPE_CHECKING:
    from batchhpc.aws.environments.destroy import Destruction


def run(args: argparse.Namespace) -> int:
    """Destroys an environment; 1 if that was declined."""
    from batchhpc.aws.environments.destroy import destroy  # noqa: PLC0415 - only what is needed
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415 - likewise
    from batchhpc.cli.deployment import ask, check_terminal, shown_progress  # noqa: PLC0415 - likewise

    check_terminal(args)
    name, region = _named(args)
    found: list[Destruction] = []

    def confirm(what: Destruction) -> bool:
        found.append(what)
        if not args.json:
            _show(what)
        return args.yes or ask(f"Destroy environment {what.environment} in {what.region}?")

    with shown_progress(to_errors=args.json) as progress:
        try:
            left = destroy(
                name,
                Clients(region),
                confirm=confirm,
                progress=progress,
                delete_data=args.delete_data,
                terminate_jobs=args.terminate_jobs,
            )
        except KeyboardInterrupt:
            if found:
                print("left alone: what was started goes on in AWS; the same command goes on with the rest", file=sys.stderr)
            raise
    return _report(args, name, left, found)


def _report(args: argparse.Namespace, name: str, left: Destruction | None, found: list[Destruction]) -> int:
    outcome = "declined" if left is None else "destroyed" if found else "nothing"
    if args.json:
        shown = {"outcome": outcome, "destroyed": _data(found[0]) if found else None, "left": _data(left) if left else None}
        print(json.dumps(shown, indent=2))
    elif outcome == "destroyed":
        print(f"environment {name}: destroyed, nothing is left")
    else:
        print(f"environment {name}: {'declined' if left is None else 'there is nothing of that name'}")
    if left is not None and not left.nothing:
        raise StackFailed(
            f"environment {name}: something is left: {json.dumps(_data(left))}\n  hint: batchhpc destroy {name} again"
        )
    return 1 if left is None else 0


def _named(args: argparse.Namespace) -> tuple[str, str | None]:
    """Name and Region, by the spec or by themselves."""
    if args.environment == STDIN or args.environment.endswith((".yaml", ".yml", ".json")):
        spec = read_spec(EnvironmentSpec, args.environment)
        if args.region not in (None, spec.region):
            problem = Problem("--region", f"is {args.region}, but {args.environment} is of {spec.region}", "leave it out")
            raise InvalidSpec([problem], "batchhpc destroy")
        return spec.name, spec.region
    return args.environment, args.region


def _show(what: Destruction) -> None:
    state = f", {what.stack.status}" if what.stack else ", the stack is gone already"
    print(f"environment {what.environment} in {what.region}{state}: {counted(len(what.resources), 'resource')}")
    for logical, kind, physical in what.resources:
        print(f"  - {logical} ({kind.removeprefix('AWS::')}) {physical}")
    for each in what.data:
        print(f"  - data: {each.kind} {each.id}: {each.holds}")
    if what.jobs:
        print(f"  - {counted(len(what.jobs), 'job')} that have not ended")
    if what.definitions:
        print(f"  - {counted(len(what.definitions), 'job definition')}")


def _data(what: Destruction) -> dict[str, Any]:
    return {
        "environment": what.environment,
        "region": what.region,
        "state": what.stack.status if what.stack else None,
        "resources": [dict(zip(("logical", "type", "physical"), each, strict=True)) for each in what.resources],
        "data": [asdict(each) for each in what.data],
        "jobs": list(what.jobs),
        "definitions": list(what.definitions),
    }
