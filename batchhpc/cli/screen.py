"""How text gets onto a terminal, and into a pipe."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_WIDTH = 160


def console() -> Console:
    """Standard output: as wide as the terminal, or wide enough for any table if it is none; nothing is guessed or emphasised."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
