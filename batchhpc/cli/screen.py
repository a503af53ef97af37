"""How text gets onto a terminal, and into a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from batchhpc.errors import Problem

PIPE_WIDTH = 160


def console() -> Console:
    """Standard output: as wide as the terminal, or wide enough for any table if it is none; nothing is guessed or emphasised."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def problem_table(problems: Iterable[Problem]) -> Table:
    """Warnings and waived rules, one row each."""
    table = Table("warning", "where", "what", "remedy", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for problem in problems:
        remedy = f"waived: {problem.waived}" if problem.waived else problem.hint
        table.add_row(problem.rule or "-", problem.path, problem.message, remedy, style="yellow")
    return table
