"""image: what is planned, with no engine run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

ENVIRONMENT = "name: arm\nregion: us-east-1\nmax_nodes: 2\ninstance_types: [hpc7g.16xlarge]\n"


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine that nothing runs."""
    path = tmp_path / "engine"
    path.write_text("#!/bin/false\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def solver(tmp_path: Path) -> Path:
    """A directory with a Dockerfile that does not stand on our base."""
    directory = tmp_path / "solver"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM debian:bookworm\n")
    return directory


def test_dry_run_of_push(cli: Cli, engine: Path, solver: Path):
    """A dry run prints the engine's commands, which have the image's own tag, and asks AWS nothing."""
    said = cli("image", "push", solver, "--engine", engine, "--dry-run", "--json")
    (image,) = said.json["images"]
    assert [command.split()[1] for command in said.json["commands"]] == ["build", "login", "tag", "push"]
    assert said.json["commands"][-1].endswith(f"/batchhpc/solver:{image['tag']}")
    assert "--password-stdin" in said.json["commands"][1]


def test_platform_of_the_environment(cli: Cli, engine: Path, solver: Path, tmp_path: Path):
    """With an environment of arm64 types the image is built for them, and no other platform is taken."""
    environment = tmp_path / "arm.yaml"
    environment.write_text(ENVIRONMENT)
    words = ["image", "build", solver, "--engine", engine, "--dry-run", "--environment", environment, "--json"]
    assert cli(*words).json["images"][0]["platform"] == "linux/arm64"
    said = cli(*words, "--platform", "linux/amd64")
    assert said.code == 2
    assert [(each["message"], each["hint"]) for each in said.json["problems"]] == [
        ("hpc7g.16xlarge is arm64 and cannot run images of linux/amd64", "--platform linux/arm64")
    ]


def test_all_that_is_wrong_at_once(cli: Cli, engine: Path, solver: Path):
    """Odd arguments are told together."""
    said = cli("image", "build", solver, "--engine", engine, "--build-arg", "MPI", "--wheels", "nowhere", "--json")
    assert said.code == 2
    assert [each["path"] for each in said.json["problems"]] == ["--build-arg", "--wheels"]


def test_check_takes_one_image(cli: Cli, engine: Path):
    """Check says what it needs if it is given no image."""
    said = cli("image", "check", "--engine", engine)
    assert said.code == 2
    assert "check takes one image" in said.err


def test_no_such_engine(cli: Cli, solver: Path):
    """An engine that is not there ends with its own exit code and a way out."""
    said = cli("image", "build", solver, "--engine", "no-such-engine")
    assert said.code == 69
    assert "hint:" in said.err
