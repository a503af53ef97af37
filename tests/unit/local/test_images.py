"""Images to build: their order, their contexts and the tags that content gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from batchhpc.errors import InvalidSpec, Unavailable
from batchhpc.local.engine import Tell
from batchhpc.local.images import Image, Wishes, plan


def wheel(command: Sequence[str], _tell: Tell, _given: str | None, _limit: float) -> tuple[int, str]:
    """Stands for pip: writes a wheel where it is told to."""
    directory = Path(command[command.index("--wheel-dir") + 1])
    directory.mkdir(parents=True)
    (directory / "batchhpc-0-py3-none-any.whl").write_bytes(b"wheel")
    return 0, ""


def no_wheel(_command: Sequence[str], _tell: Tell, _given: str | None, _limit: float) -> tuple[int, str]:
    """Stands for pip where it fails."""
    return 1, "ERROR: no hatchling\n"


def planned(tmp_path: Path, *names: str, platform: str = "linux/amd64", base: str | None = None, **arguments: str) -> list[Image]:
    return plan(names, Wishes(platform, base, arguments, None, tmp_path / "state"), wheel)


def own(tmp_path: Path, dockerfile: str = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n") -> Path:
    """A user's directory with a Dockerfile."""
    directory = tmp_path / "solver"
    directory.mkdir(exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile)
    return directory


def test_base_comes_first_and_is_the_others_base(tmp_path: Path):
    """Genomics and risk stand on the base image of this content, which is built first though nobody asked for it."""
    base, genomics, risk = planned(tmp_path, "genomics", "risk")
    assert [(each.name, each.asked) for each in (base, genomics, risk)] == [("base", False), ("genomics", True), ("risk", True)]
    assert genomics.arguments["BASE_IMAGE"] == risk.arguments["BASE_IMAGE"] == base.reference
    assert base.reference == f"batchhpc/base:{base.tag}"


def test_a_base_of_the_users(tmp_path: Path):
    """With a base image of the user's, ours is not built; if ours is asked for as well, it stands on theirs."""
    (genomics,) = planned(tmp_path, "genomics", base="debian@sha256:1")
    assert genomics.arguments["BASE_IMAGE"] == "debian@sha256:1"
    base, genomics = planned(tmp_path, "genomics", "base", base="debian@sha256:1")
    assert (base.arguments["BASE_IMAGE"], genomics.arguments["BASE_IMAGE"]) == ("debian@sha256:1", base.reference)


def test_contexts_hold_what_the_dockerfiles_copy(tmp_path: Path):
    """The base's context has the wheel, and genomics' and risk's the examples with their data."""
    base, genomics, risk = planned(tmp_path, "genomics", "risk")
    assert [path.name for path in (base.context / "dist").iterdir()] == ["batchhpc-0-py3-none-any.whl"]
    assert (genomics.context / "examples/genomics/kmers/__main__.py").is_file()
    assert (risk.context / "examples/risk/data/sp500.csv.gz").is_file()
    for image in (genomics, risk):
        assert (image.context / "examples/workload/program.py").is_file()  # what workloads share
    assert not list(genomics.context.rglob("__pycache__"))


def test_same_content_same_tag(tmp_path: Path):
    """The tag depends on content, platform and arguments, and on nothing else; a changed base changes what stands on it."""
    first, second = planned(tmp_path, "genomics"), planned(tmp_path / "elsewhere", "genomics")
    assert [each.tag for each in first] == [each.tag for each in second]
    for other in (planned(tmp_path, "genomics", platform="linux/arm64"), planned(tmp_path, "genomics", MPI="mpich")):
        assert not {each.tag for each in first} & {each.tag for each in other}


@pytest.mark.parametrize("change", ["content", "name", "mode", "link"])
def test_changes_of_a_directory_change_its_tag(tmp_path: Path, change: str):
    """A file's bytes, its name, whether it can be executed and where a link leads are all content."""
    directory = own(tmp_path, "FROM debian:bookworm\n")
    program = directory / "program"
    program.write_text("1")
    (directory / "link").symlink_to("program")
    (before,) = planned(tmp_path, str(directory))
    match change:
        case "content":
            program.write_text("2")
        case "name":
            program.rename(directory / "other")
        case "mode":
            program.chmod(0o755)
        case _:
            (directory / "link").unlink()
            (directory / "link").symlink_to("Dockerfile")
    (after,) = planned(tmp_path, str(directory))
    assert before.tag != after.tag


def test_a_directory_of_the_users(tmp_path: Path):
    """The user's directory is the context as it is; it stands on our base only if its Dockerfile leaves BASE_IMAGE open."""
    base, solver = planned(tmp_path, str(own(tmp_path)))
    assert (base.name, solver.repository, solver.context) == ("base", "batchhpc/solver", tmp_path / "solver")
    (alone,) = planned(tmp_path, str(own(tmp_path, "ARG BASE_IMAGE=debian:bookworm\nFROM ${BASE_IMAGE}\n")))
    assert "BASE_IMAGE" not in alone.arguments


def test_all_wrong_names_at_once(tmp_path: Path):
    """Each name that is no image is told, with those there are."""
    odd = tmp_path / "No Name"
    odd.mkdir()
    (odd / "Dockerfile").touch()
    with pytest.raises(InvalidSpec) as caught:
        planned(tmp_path, "bse", str(tmp_path), str(odd))
    assert [problem.path for problem in caught.value.problems] == ["bse", str(tmp_path), str(odd)]
    assert "neither base, genomics nor risk, nor a directory with a Dockerfile" in str(caught.value)


def test_wheel_cannot_be_built(tmp_path: Path):
    """If pip cannot build the wheel, its own words are told."""
    with pytest.raises(Unavailable, match=r"(?s)wheel of batchhpc cannot be built.*no hatchling"):
        plan(["base"], Wishes("linux/amd64", None, {}, None, tmp_path), no_wheel)
