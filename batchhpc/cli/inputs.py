"""Specs from the files that the command line names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, TypeVar

from batchhpc.compiler import CompiledEnvironment, CompiledJob, compile_environment, compile_job, environment_of
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Capacity, Environment, EnvironmentSpec, JobSpec
from batchhpc.spec.document import Document, json_data, yaml_data

STDIN = "-"
FILES = (".yaml", ".yml", ".json")

Spec = TypeVar("Spec", bound=Document)


def read_data(name: str) -> tuple[Any, str]:
    """What a file says, or standard input if its name is ``-``, and its name for messages.

    Raises:
        InvalidSpec: the file cannot be read, or is neither YAML nor JSON.
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
    return (json_data if name.endswith(".json") else yaml_data)(text, shown), shown


def read_spec(kind: type[Spec], name: str) -> Spec:
    """The spec in a file, or on standard input if its name is ``-``.

    Raises:
        InvalidSpec: the file cannot be read, or what it says is wrong.
    """
    return kind.from_data(*read_data(name))


def read_job(args: argparse.Namespace, environment: Environment) -> JobSpec:
    """The job spec that the command line names, for an environment.

    Raises:
        InvalidSpec: with what is wrong in its fields, and with the rules that the rest of it breaks.
    """
    return job_of(*read_data(args.job), environment)


def job_of(data: Any, shown: str, environment: Environment) -> JobSpec:
    """The job spec that a document is, for an environment.

    Raises:
        InvalidSpec: with what is wrong in its fields, and with the rules that the rest of it breaks.
    """
    try:
        return JobSpec.from_data(data, shown)
    except InvalidSpec as error:
        if not isinstance(error.rest, JobSpec):
            raise
        try:
            compile_job(error.rest, environment)
        except InvalidSpec as more:
            raise InvalidSpec([*error.problems, *more.problems], error.document) from error
        raise


def is_environment(data: Any) -> bool:
    """Whether a document is an environment spec: it says which types it launches, or how many nodes there may be."""
    return isinstance(data, dict) and bool({"instance_types", "max_nodes"} & set(data))


def environment_from(data: Any, shown: str) -> CompiledEnvironment:
    """The environment spec that a document is, compiled.

    Raises:
        InvalidSpec: with what is wrong in its fields, and with the rules that the rest of it breaks.
    """
    try:
        return compile_environment(EnvironmentSpec.from_data(data, shown))
    except InvalidSpec as error:
        if not isinstance(error.rest, EnvironmentSpec):
            raise error.of(shown) from error
        try:
            compile_environment(error.rest)
        except InvalidSpec as more:
            raise InvalidSpec([*error.problems, *more.problems], shown) from error
        raise


def read_environment(args: argparse.Namespace) -> Environment:
    """What jobs see of the environment that the command line names, before it is deployed; or the made-up one.

    With another capacity, if the command line names one.

    Raises:
        InvalidSpec: the environment spec is wrong; problems name its file.
    """
    found = environment_of(environment_from(*read_data(args.environment)).plan.spec) if args.environment else Environment()
    return found.replace(capacity=Capacity(args.capacity)) if args.capacity else found


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
