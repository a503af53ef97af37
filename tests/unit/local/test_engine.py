"""The container engine: which one, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from batchhpc.errors import Unavailable
from batchhpc.local.engine import Engine, Tell, find_engine


class Ends:
    """An engine that ends with a code after some output; remembers what it was given."""

    def __init__(self, code: int, output: str = "") -> None:
        self.code, self.output = code, output
        self.ran: list[list[str]] = []
        self.given: list[str | None] = []

    def __call__(self, command: Sequence[str], tell: Tell, given: str | None, _limit: float) -> tuple[int, str]:
        self.ran.append(list(command))
        self.given.append(given)
        for line in self.output.splitlines():
            tell(line)
        return self.code, self.output


def programs(directory: Path, *names: str) -> str:
    """A PATH with such programs."""
    for name in names:
        path = directory / name
        path.touch()
        path.chmod(0o755)
    return str(directory)


def test_first_that_answers(tmp_path: Path):
    """Docker comes before podman, unless its service does not answer."""
    path = programs(tmp_path, "podman", "docker")
    assert find_engine(None, path, lambda _: True) == "docker"
    assert find_engine(None, path, lambda name: name == "podman") == "podman"


def test_none_is_there(tmp_path: Path):
    """Without an engine all names that were looked for are told, and how to name another."""
    with pytest.raises(Unavailable, match=r"none of docker, podman, finch is on PATH\n  hint: .*--engine"):
        find_engine(None, str(tmp_path))


def test_none_answers(tmp_path: Path):
    """An engine without its service is named."""
    with pytest.raises(Unavailable, match="docker is here, but docker info fails"):
        find_engine(None, programs(tmp_path, "docker"), lambda _: False)


def test_asked_for_but_absent(tmp_path: Path):
    """An engine that is asked for is not replaced by another."""
    with pytest.raises(Unavailable, match="there is no finch on PATH"):
        find_engine("finch", programs(tmp_path, "docker"))


def test_password_is_on_no_command_line():
    """The password goes through standard input; neither commands nor what is told has it."""
    ends = Ends(0)
    told: list[str] = []
    engine = Engine("docker", told.append, do=ends)
    engine.login("registry.example", "AWS", "hunter2")
    assert ends.given == ["hunter2"]
    assert "hunter2" not in "".join([*ends.ran[0], *told, *engine.commands])


def test_failure_has_the_last_lines():
    """A failed build says its exit code and the last 15 lines, no more."""
    output = "".join(f"line {i}\n" for i in range(40))
    with pytest.raises(Unavailable) as caught:
        Engine("docker", lambda _: None, do=Ends(3, output)).build(Path("context"), "image:1", "linux/amd64", {})
    lines = str(caught.value).splitlines()
    assert lines[0] == "docker build: ended with 3; its last lines:"
    assert [line.strip() for line in lines[1:]] == [f"line {i}" for i in range(25, 40)]


def test_foreign_platform():
    """A build for a platform that this machine cannot run says so."""
    with pytest.raises(Unavailable, match="cannot run programs of that platform"):
        Engine("podman", lambda _: None, do=Ends(1, "/bin/sh: Exec format error")).build(Path("c"), "i:1", "linux/arm64", {})


def test_killed_in_the_end():
    """A command that reached its time limit says so."""
    with pytest.raises(Unavailable, match="docker push: was killed after 3600 seconds"):
        Engine("docker", lambda _: None, do=lambda command, *_: (0 if "tag" in command else -9, "")).push("a", "b")


def test_dry_run_runs_nothing():
    """A dry run has the commands in their order, and ran none."""
    ends = Ends(0)
    engine = Engine("finch", lambda _: None, dry_run=True, do=ends)
    engine.build(Path("context"), "image:1", "linux/arm64", {"B": "2", "A": "1 1"})
    engine.push("image:1", "there/image:1")
    assert ends.ran == []
    assert engine.commands == [
        "finch build --platform linux/arm64 '--build-arg=A=1 1' --build-arg=B=2 --tag image:1 context",
        "finch tag image:1 there/image:1",
        "finch push there/image:1",
    ]
