"""``batchhpc compile``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from batchhpc.cli.inputs import compiled, environment_from, is_environment, job_of, read_data, read_environment
from batchhpc.compiler import CompiledEnvironment, CompiledJob
from batchhpc.compiler.documents import canonical_json
from batchhpc.errors import InvalidSpec, Problem

_TEMPLATE = "template.json"


def run(args: argparse.Namespace) -> int:
    """Prints or writes the compiled documents; shape and warnings go with them in JSON, else warnings to standard error."""
    data, shown = read_data(args.job)
    if is_environment(data):
        return _environment(environment_from(data, shown), args)
    environment = read_environment(args)
    job = compiled(job_of(data, shown, environment), environment, args.job)
    written = _write(Path(args.out), _files(job, args.format)) if args.out else []
    if args.json:
        print(json.dumps({**_facts(job), **({"files": written} if args.out else _documents(job, args.format))}, indent=2))
        return 0
    _say(job.warnings, "\n".join(written) if args.out else _whole(job, args.format), args)
    return 0


def _environment(environment: CompiledEnvironment, args: argparse.Namespace) -> int:
    """The one document of an environment, its template, whatever the format."""
    written = _write(Path(args.out), {_TEMPLATE: environment.to_json()}) if args.out else []
    if args.json:
        warnings = [asdict(warning) for warning in environment.warnings]
        print(
            json.dumps({"warnings": warnings, **({"files": written} if args.out else {"template": environment.template})}, indent=2)
        )
    else:
        _say(environment.warnings, "\n".join(written) if args.out else environment.to_json(), args)
    return 0


def _say(warnings: Iterable[Problem], text: str, args: argparse.Namespace) -> None:
    for warning in warnings:
        print(warning.text(args.job), file=sys.stderr)
    print(text.rstrip("\n"))


def _facts(job: CompiledJob) -> dict[str, Any]:
    return {"shape": str(job.shape), "why": job.why, "warnings": [asdict(warning) for warning in job.warnings]}


def _documents(job: CompiledJob, form: str) -> dict[str, Any]:
    if form == "cloudformation":
        return {"template": json.loads(_template(job))}
    return {"register": job.register, "submit": job.submit}


def _write(directory: Path, files: dict[str, str]) -> list[str]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidSpec(
            [Problem("--out", f"{error.filename} cannot be written: {error.strerror}")], "batchhpc compile"
        ) from error
    return [str(directory / name) for name in files]


def _whole(job: CompiledJob, form: str) -> str:
    return _template(job) if form == "cloudformation" else job.to_json()


def _files(job: CompiledJob, form: str) -> dict[str, str]:
    if form == "cloudformation":
        return {_TEMPLATE: _template(job)}
    return {"register.json": canonical_json(job.register), "submit.json": canonical_json(job.submit)}


def _template(job: CompiledJob) -> str:
    from batchhpc.compiler.cloudformation import template  # noqa: PLC0415 - only this format needs it

    return canonical_json(template(job.register))
