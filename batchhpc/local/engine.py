"""The container engine of this machine: docker, podman or finch, by its command line."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from batchhpc.errors import Unavailable

ENGINES: Final = ("docker", "podman", "finch")  # in the order in which they are looked for
BUILD_LIMIT: Final = 2 * 3600.0  # seconds; compilers run, emulated where the platform is another one
PUSH_LIMIT: Final = 3600.0
ANSWER_LIMIT: Final = 60.0
_LAST_LINES: Final = 15
_FOREIGN = "exec format error"

Tell = Callable[[str], None]
Do = Callable[[Sequence[str], Tell, str | None, float], tuple[int, str]]


def carry_out(command: Sequence[str], tell: Tell, given: str | None, limit: float) -> tuple[int, str]:
    """Runs a command to its end.

    Args:
        command: the program and its arguments.
        tell: gets each line of output as it comes.
        given: its standard input; empty if None.
        limit: seconds after which it is killed.

    Returns:
        Its exit code, and its output; -9 if it was killed.
    """
    environ = {**os.environ, "DOCKER_BUILDKIT": "1"}  # RUN --mount
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True, errors="replace"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(limit, process.kill)
        timer.start()
        lines = []
        try:
            if given is not None:
                process.stdin.write(given)
            process.stdin.close()
            for line in process.stdout:
                lines.append(line)
                tell(line.rstrip("\n"))
        except BrokenPipeError:  # it ended without reading; its exit code says more
            pass
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    return process.returncode, "".join(lines)


def find_engine(asked: str | None = None, path: str | None = None, answers: Callable[[str], bool] | None = None) -> str:
    """The program to use: the one that is asked for, or the first that is there and answers.

    Args:
        asked: a name or path.
        path: where to look; PATH if left out.
        answers: whether an engine's service is there; asks it if left out.

    Raises:
        Unavailable: there is none.
    """
    if asked is not None:
        if shutil.which(asked, path=path) is None:
            raise Unavailable(f"container engine: there is no {asked} on PATH\n  hint: install it, or leave --engine out")
        return asked
    there = [name for name in ENGINES if shutil.which(name, path=path)]
    if not there:
        raise Unavailable(
            f"container engine: none of {', '.join(ENGINES)} is on PATH\n"
            "  hint: install one of them, or name another one that takes the same commands: --engine PROGRAM"
        )
    for name in there:
        if (answers or _answers)(name):
            return name
    raise Unavailable(
        f"container engine: {' and '.join(there)} {'is' if len(there) == 1 else 'are'} here, but {there[0]} info fails\n"
        f"  hint: start its service; {there[0]} info shows what is wrong"
    )


def _answers(name: str) -> bool:
    return carry_out([name, "info"], lambda _: None, None, ANSWER_LIMIT)[0] == 0


@dataclass(frozen=True)
class Engine:
    """Commands of one engine.

    Attributes:
        program: docker, podman, finch, or a path.
        tell: gets each line that the engine prints, and each command before it runs.
        dry_run: only tell the commands.
        do: how a command is run.
        commands: all that were run, or told.
    """

    program: str
    tell: Tell
    dry_run: bool = False
    do: Do = carry_out
    commands: list[str] = field(default_factory=list)

    def build(self, context: Path, reference: str, platform: str, arguments: Mapping[str, str]) -> None:
        """Builds the Dockerfile of a directory.

        Raises:
            Unavailable: it failed, like everything here; the last lines of its output are in the message.
        """
        words = [f"--build-arg={name}={value}" for name, value in sorted(arguments.items())]
        self._run(["build", "--platform", platform, *words, "--tag", reference, str(context)], BUILD_LIMIT)

    def login(self, registry: str, user: str, password: str) -> None:
        """Logs in; the password goes through standard input, since a command line can be read by all users."""
        self._run(["login", "--username", user, "--password-stdin", registry], ANSWER_LIMIT, given=password)

    def push(self, reference: str, remote: str) -> None:
        """Pushes a local image under another name."""
        self._run(["tag", reference, remote], ANSWER_LIMIT)
        self._run(["push", remote], PUSH_LIMIT)

    def run(self, reference: str, words: Sequence[str], entry_point: str | None = None) -> tuple[int, str]:
        """Runs a container without a network to its end; gives its exit code and output."""
        entry = ["--entrypoint", entry_point] if entry_point is not None else []
        command = [self.program, "run", "--rm", "--network", "none", *entry, reference, *words]
        self.commands.append(shlex.join(command))
        return (0, "") if self.dry_run else self.do(command, lambda _: None, None, ANSWER_LIMIT)

    def _run(self, words: Sequence[str], limit: float, given: str | None = None) -> None:
        command = [self.program, *words]
        self.commands.append(shlex.join(command))
        self.tell(f"$ {self.commands[-1]}")
        if self.dry_run:
            return
        code, output = self.do(command, self.tell, given, limit)
        if code:
            raise Unavailable(_failure(self.program, words[0], code, limit, output))


def _failure(program: str, verb: str, code: int, limit: float, output: str) -> str:
    ended = f"was killed after {limit:g} seconds" if code < 0 else f"ended with {code}"
    last = deque((line for line in output.splitlines() if line.strip()), _LAST_LINES)
    hint = f"\n  hint: {program} info shows whether its service runs" if verb != "build" else ""
    if _FOREIGN in output.lower():
        hint = (
            "\n  hint: this machine cannot run programs of that platform: build on one that can, or install QEMU for its engine"
            " (binfmt)"
        )
    return "\n".join([f"{program} {verb}: {ended}; its last lines:", *(f"    {line}" for line in last)]) + hint
