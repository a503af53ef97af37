"""``batchhpc image``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from batchhpc.errors import InvalidSpec, Problem, Severity
from batchhpc.local.engine import Engine, find_engine
from batchhpc.local.image_check import check_image
from batchhpc.local.images import PLATFORMS, Image, Wishes, plan

_ACCOUNT = "ACCOUNT.dkr.ecr.REGION.amazonaws.com"  # in the commands of a dry run, which asks AWS nothing


def run(args: argparse.Namespace) -> int:
    """Builds images, pushes them to ECR, or checks one."""
    engine = Engine(find_engine(args.engine), _tell(args), dry_run=args.dry_run)
    if args.action == "check":
        return _check(args, engine)
    images = plan(args.image or ["base"], _wishes(args))
    shown = _push(args, engine, images) if args.action == "push" else _build(engine, images)
    commands = {"commands": engine.commands} if args.dry_run else {}
    if args.json:
        print(json.dumps({"images": shown, **commands}, indent=2))
    else:
        for line in engine.commands if args.dry_run else [each.get("uri") or each["reference"] for each in shown]:
            print(line)
    return 0


def _build(engine: Engine, images: list[Image]) -> list[dict[str, Any]]:
    for image in images:
        engine.build(image.context, image.reference, image.platform, image.arguments)
    return [_shown(image) for image in images if image.asked]


def _push(args: argparse.Namespace, engine: Engine, images: list[Image]) -> list[dict[str, Any]]:
    if args.dry_run:
        _build(engine, images)
        engine.login(_ACCOUNT, "AWS", "")
        for image in images:
            if image.asked:
                engine.push(image.reference, f"{_ACCOUNT}/{image.reference}")
        return [_shown(image) for image in images if image.asked]
    from batchhpc.aws.images import Registry  # noqa: PLC0415 - the AWS SDK is for this only
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415

    registry = Registry(Clients(args.region).ecr, args.kms_key)
    found = {image.name: registry.find(image.repository, image.tag) for image in images if image.asked}
    if not all(found.values()):
        _build(engine, images)
    shown = []
    for image in images:
        if image.asked:
            published = found[image.name] or registry.publish(image.reference, image.repository, image.tag, engine)
            shown.append({**_shown(image), "uri": published.uri, "pushed": published.pushed})
    return shown


def _check(args: argparse.Namespace, engine: Engine) -> int:
    if len(args.image) != 1:
        raise InvalidSpec([Problem("", "check takes one image", "batchhpc image check IMAGE")], "batchhpc image")
    checked = check_image(engine, args.image[0])
    wrong = [problem for problem in checked.problems if problem.severity is Severity.ERROR]
    if wrong and not args.dry_run:
        raise InvalidSpec(checked.problems, args.image[0])
    if args.json:
        warnings = [{"path": each.path, "message": each.message, "hint": each.hint} for each in checked.problems]
        print(json.dumps({**checked.facts, "warnings": warnings}, indent=2))
        return 0
    if args.dry_run:
        print("\n".join(engine.commands))
        return 0
    for problem in checked.problems:
        print(problem.text(args.image[0]), file=sys.stderr)
    facts = checked.facts
    print(
        f"{args.image[0]}: Python {facts['python']}, {facts.get('mpi', 'no MPI')}, user {facts['user']}, {facts['machine']}: fine"
    )
    return 0


def _shown(image: Image) -> dict[str, Any]:
    return {"name": image.name, "reference": image.reference, "tag": image.tag, "platform": image.platform}


def _wishes(args: argparse.Namespace) -> Wishes:
    problems = [
        Problem("--build-arg", f"is {each!r}, not NAME=VALUE", "--build-arg MPI=mpich")
        for each in args.build_arg
        if not each.partition("=")[0] or "=" not in each
    ]
    if args.wheels and not Path(args.wheels).is_dir():
        problems.append(Problem("--wheels", f"there is no directory {args.wheels}", "fill one with pip download"))
    if problems:
        raise InvalidSpec(problems, "batchhpc image")
    return Wishes(
        platform=_platform(args),
        base_image=args.base_image,
        arguments={name: value for name, _, value in (each.partition("=") for each in args.build_arg)},
        wheels=Path(args.wheels) if args.wheels else None,
        directory=Path(args.directory) / "images",
    )


def _platform(args: argparse.Namespace) -> str:
    """The platform that is asked for, held against the environment's types; theirs, or x86_64, if none is."""
    if args.environment is None:
        return str(args.platform or PLATFORMS["x86_64"])
    from batchhpc.cli.inputs import read_spec  # noqa: PLC0415 - the compiler and its catalogue are for this only
    from batchhpc.compiler.environment import plan_environment  # noqa: PLC0415 - likewise
    from batchhpc.spec import EnvironmentSpec  # noqa: PLC0415 - likewise

    types = plan_environment(read_spec(EnvironmentSpec, args.environment)).types
    runs = {platform: [kind.name for kind in types if arch in kind.arch] for arch, platform in PLATFORMS.items()}
    fitting = [platform for platform, names in runs.items() if names]
    if args.platform is None and len(fitting) != 1:
        message = f"has types of {len(fitting)} platforms ({', '.join(fitting) or 'none known'})"
        raise InvalidSpec([Problem("instance_types", message, "choose one: --platform linux/arm64")], args.environment)
    if args.platform is not None and len(runs[args.platform]) < len(types):
        other = next(kind for kind in types if kind.name not in runs[args.platform])
        message = f"{other.name} is {' '.join(other.arch)} and cannot run images of {args.platform}"
        raise InvalidSpec([Problem("instance_types", message, f"--platform {PLATFORMS[other.arch[0]]}")], args.environment)
    return str(args.platform or fitting[0])


def _tell(args: argparse.Namespace) -> Any:
    """Where the engine's output goes: to standard error, as it comes; nowhere in a dry run, which prints the commands."""
    return (lambda _: None) if args.dry_run else (lambda line: print(line, file=sys.stderr, flush=True))
