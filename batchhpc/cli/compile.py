"""``batchhpc compile``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from batchhpc.cli.inputs import compiled, read_environment, read_job
from batchhpc.compiler import CompiledJob
from batchhpc.compiler.documents import canonical_json
from batchhpc.errors import InvalidSpec, Problem


def run(args: argparse.Namespace) -> int:
    """Prints or writes the compiled documents; warnings go to standard error."""
    job = compiled(read_job(args), read_environment(args), args.job)
    for warning in job.warnings:
        print(warning.text(args.job), file=sys.stderr)
    if args.out:
        written = _write(Path(args.out), _files(job, args.format))
        print(json.dumps({"files": written}, indent=2) if args.json else "\n".join(written))
    else:
        print(_whole(job, args.format), end="")
    return 0


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
        return {"template.json": _template(job)}
    return {"register.json": canonical_json(job.register), "submit.json": canonical_json(job.submit)}


def _template(job: CompiledJob) -> str:
    from batchhpc.compiler.cloudformation import template  # noqa: PLC0415 - only this format needs it

    return canonical_json(template(job.register))
