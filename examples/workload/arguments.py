"""Values of arguments, checked one by one; what is wrong is added to a list, so that all problems are told at once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from examples.workload.errors import BadArguments
from examples.workload.files import source
from examples.workload.text import number_of

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
WITHOUT_END = 2**62


class Parser(argparse.ArgumentParser):
    """Raises `BadArguments` instead of ending the program; ``-h`` is an argument like others."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, add_help=False)
        self.add_argument("-h", "--help", action="store_true", help="show this and exit")

    def error(self, message: str) -> NoReturn:
        raise BadArguments([message])

    def read(self, words: Sequence[str], problems: list[str]) -> argparse.Namespace | None:
        """The words as they stand; None if they ask for help."""
        given, unknown = self.parse_known_args(words)
        problems += [f"{word}: is not an argument of this program" for word in unknown]
        return None if given.help else given


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """Where and how often to save.

    Attributes:
        where: a directory that all nodes share, or an ``s3://`` prefix; None: nowhere.
        every: seconds between two checkpoints.
    """

    where: str | None
    every: float


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """The two arguments of `CheckpointPlan`."""
    parser.add_argument(
        "--checkpoint",
        metavar="WHERE",
        help="directory that all nodes see, or s3://bucket/prefix, to go on from after an interruption",
    )
    parser.add_argument("--checkpoint-every", default="2m", metavar="TIME", help="time between two, as in 30s or 2m (default: 2m)")


def read_checkpoint(given: argparse.Namespace, problems: list[str]) -> CheckpointPlan:
    """What they say."""
    every = seconds("--checkpoint-every", given.checkpoint_every, (0, 86_400), problems)
    if (
        given.checkpoint
        and not given.checkpoint.startswith("s3://")
        and (problem := output_problem("--checkpoint", given.checkpoint))
    ):
        problems.append(problem)
    return CheckpointPlan(given.checkpoint, every)


def whole_number(name: str, text: str, limits: tuple[int, int], problems: list[str]) -> int:
    """A whole number within the limits, both included; `WITHOUT_END` above is none."""
    if re.fullmatch(r"-?\d{1,18}", text) and limits[0] <= int(text) <= limits[1]:
        return int(text)
    upper = f" to {limits[1]}" if limits[1] < WITHOUT_END else " on"
    problems.append(f"{name}: is {text!r}, but must be a whole number from {limits[0]}{upper}")
    return limits[0]


def number(name: str, text: str, limits: tuple[float, float], problems: list[str]) -> float:
    """A number within the limits, both included."""
    value = number_of(text)
    if limits[0] <= value <= limits[1]:
        return value
    problems.append(f"{name}: is {text!r}, but must be a number from {limits[0]:g} to {limits[1]:g}")
    return limits[0]


def size(name: str, text: str, limits: tuple[int, int], problems: list[str]) -> int:
    """Bytes, given as in ``512 KiB``."""
    match = re.fullmatch(r"(\d{1,12}) ?([KMG]iB|)", text)
    value = int(match[1]) * _UNITS[match[2]] if match else -1
    if limits[0] <= value <= limits[1]:
        return value
    problems.append(f"{name}: is {text!r}, but must be a size from {limits[0]} bytes to {limits[1] >> 20} MiB, as in '512 KiB'")
    return limits[0]


def seconds(name: str, text: str, limits: tuple[float, float], problems: list[str]) -> float:
    """Seconds, given as in ``30s`` or ``2m``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?) ?([smh]|)", text)
    value = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    if limits[0] <= value <= limits[1]:
        return value
    problems.append(f"{name}: is {text!r}, but must be a time from {limits[0]:g} to {limits[1]:g} seconds, as in '30s' or '2m'")
    return limits[0]


def input_problem(name: str, address: str) -> str | None:
    """Why a file cannot be read; None if it can."""
    try:
        source(address)
    except OSError as error:
        return f"{name}: {error}"
    return None


def named_twice(name: str, addresses: Sequence[str]) -> list[str]:
    """What is wrong with a list of files in which one is there twice, perhaps under two names."""
    seen: dict[str, str] = {}
    problems = []
    for address in addresses:
        file = address if address.startswith("s3://") else str(Path(address).resolve())
        if file in seen:
            also = "" if seen[file] == address else f", as {seen[file]}"
            problems.append(f"{name}: {address} is named twice{also}")
        seen.setdefault(file, address)
    return problems


def add_out(parser: argparse.ArgumentParser) -> None:
    """Where results go; see `check_out`."""
    parser.add_argument("--out", metavar="DIR", help="directory of the results; all nodes must see it")


def check_out(given: argparse.Namespace, problems: list[str]) -> None:
    """That ``--out`` is there, and may be a directory of results."""
    if given.out is None:
        problems.append("--out: is missing; name a directory for the results")
    elif problem := output_problem("--out", given.out):
        problems.append(problem)


def output_problem(name: str, path: str) -> str | None:
    """Why results cannot go to a directory, as far as can be told without making it."""
    if path.startswith("s3://"):
        return (
            f"{name}: {path} is in S3, but results are written by all nodes into one directory (FSx or EFS); copy them afterwards"
        )
    if Path(path).exists() and not Path(path).is_dir():
        return f"{name}: {path} is there and is not a directory"
    return None
