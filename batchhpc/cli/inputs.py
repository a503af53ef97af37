"""Specs from the files that the command line names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, TypeVar

from batchhpc.compiler import CompiledJob, compile_job
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Environment, JobSpec
from batchhpc.spec.document import Document

STDIN = "-"

Spec = TypeVar("Spec", bound=Document)


def read_spec(kind: type[Spec], name: str) -> Spec:
    """The spec in a file, or on standard input if its name is ``-``.

    Raises:
        InvalidSpec: the file cannot be read, or what it says is wrong.
    """
    shown = "standard input" if name == STDIN else name
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except IsADirectoryError as error:
        raise InvalidSpec([Problem("", "is a directory", "name the file in it")], shown) from error
    except FileNotFoundError as error:
        raise InvalidSpec([Problem("", "there is no such file")], shown) from error
    except UnicodeDecodeError as error:
        raise InvalidSpec([Problem("", f"is not UTF-8 text (byte {error.start})")], shown) from error
    except OSError as error:
        raise InvalidSpec([Problem("", f"cannot be read: {error.strerror or error}")], shown) from error
    return kind.from_json(text, shown) if name.endswith(".json") else kind.from_yaml(text, shown)


def read_job(args: argparse.Namespace, environment: Environment | None = None) -> JobSpec:
    """The job spec that the command line names; for the environment that it names, too, if none is given.

    Raises:
        InvalidSpec: with what is wrong in its fields, and with the rules that the rest of it breaks.
    """
    try:
        return read_spec(JobSpec, args.job)
    except InvalidSpec as error:
        if not isinstance(error.rest, JobSpec):
            raise
        try:
            compile_job(error.rest, environment or read_environment(args))
        except InvalidSpec as more:
            raise InvalidSpec([*error.problems, *more.problems], error.document) from error
        raise


def read_environment(args: argparse.Namespace) -> Environment:
    """The environment that the command line names, or the made-up one."""
    return read_spec(Environment, args.environment) if args.environment else Environment()


def compiled(spec: JobSpec, environment: Environment, name: str) -> CompiledJob:
    """The compiled job; problems name the file.

    Raises:
        InvalidSpec: the job breaks rules.
    """
    try:
        return compile_job(spec, environment)
    except InvalidSpec as error:
        raise error.of(name) from error


def changed(spec: JobSpec, args: argparse.Namespace) -> JobSpec:
    """The spec with the command line's changes, checked again.

    Raises:
        InvalidSpec: a change is wrong.
    """
    changes: dict[str, Any] = {
        name: value for name in ("nodes", "ranks_per_node", "time_limit", "attempts") if (value := getattr(args, name)) is not None
    }
    if args.command:
        changes["command"] = tuple(args.command)
    if args.env:
        changes["env"] = {**spec.env, **dict(pair(text, "--env", "NAME=VALUE", args.verb) for text in args.env)}
    if not changes:
        return spec
    try:
        return spec.replace(**changes)
    except InvalidSpec as error:
        raise error.of(args.job) from error


def pair(text: str, option: str, form: str, verb: str = "run") -> tuple[str, str]:
    """``NAME=VALUE`` in two.

    Raises:
        InvalidSpec: there is no ``=``, or nothing before it.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidSpec([Problem(option, f"is {text!r}, which is not {form}")], f"batchhpc {verb}")
    return name, value
