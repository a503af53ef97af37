"""``batchhpc``: the command line to a verb, and errors to text and exit codes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module

from batchhpc.cli import arguments
from batchhpc.errors import AgentError, BatchHpcError, InvalidSpec

EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


def main(words: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        words: the command line without the program's name; the process's own if left out.

    Returns:
        The exit code: the job's own after ``run``, else that of the error (``errors.py``), or 0.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them costs 16 ms, and there are none
    words = sys.argv[1:] if words is None else words
    options, _ = arguments.split(words)
    as_json, debug = "--json" in options, "--debug" in options  # known even if the rest cannot be parsed
    try:
        args = arguments.parse(words)
        code = int(import_module(f"batchhpc.cli.{args.verb}").run(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (``| head``): say nothing more, not even when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except BatchHpcError as error:
        _report(error, as_json=as_json, debug=debug)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug of ours; the user gets one line, and the way to the rest
        _report(error, as_json=as_json, debug=debug)
        return AgentError.exit_code
    return code


def _report(error: Exception, *, as_json: bool, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    expected = isinstance(error, BatchHpcError)
    text = str(error) if expected else f"batchhpc: internal error: {type(error).__name__}: {error}"
    if as_json:
        problems = error.problems if isinstance(error, InvalidSpec) else ()
        shown = {"error": type(error).__name__, "message": text, "problems": [asdict(problem) for problem in problems]}
        print(json.dumps(shown, indent=2))
        return
    print(text, file=sys.stderr)
    if not expected and not debug:
        print("  hint: this is a bug of batchhpc; --debug shows where", file=sys.stderr)
