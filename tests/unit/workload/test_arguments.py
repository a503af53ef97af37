from __future__ import annotations

from pathlib import Path

import pytest

from examples.workload.arguments import (
    WITHOUT_END,
    CheckpointPlan,
    Parser,
    add_checkpoint,
    input_problem,
    named_twice,
    number,
    output_problem,
    read_checkpoint,
    seconds,
    size,
    whole_number,
)
from examples.workload.errors import BadArguments


def test_values_within_their_limits() -> None:
    """Numbers, sizes and times are read with their units, and both limits are included."""
    problems: list[str] = []
    assert whole_number("-k", "61", (1, 61), problems) == 61
    assert number("--alpha", "5e-8", (0, 1), problems) == 5e-8
    assert size("--chunk", "512 KiB", (1, 1 << 20), problems) == 512 << 10
    assert seconds("--every", "1.5m", (0, 90), problems) == 90
    assert problems == []


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        (lambda problems: whole_number("-k", "0", (1, 31), problems), "-k: is '0', but must be a whole number from 1 to 31"),
        (lambda problems: whole_number("-n", "x", (1, WITHOUT_END), problems), "-n: is 'x', but must be a whole number from 1 on"),
        (lambda problems: number("-a", "nan", (0, 1), problems), "-a: is 'nan', but must be a number from 0 to 1"),
        (
            lambda problems: size("-c", "1 MB", (64, 1 << 28), problems),
            "-c: is '1 MB', but must be a size from 64 bytes to 256 MiB, as in '512 KiB'",
        ),
        (
            lambda problems: seconds("-e", "-1", (0, 60), problems),
            "-e: is '-1', but must be a time from 0 to 60 seconds, as in '30s' or '2m'",
        ),
    ],
)
def test_what_is_wrong_with_a_value(check, problem) -> None:
    """A value that cannot be used is told with its argument, itself and what would do."""
    problems: list[str] = []
    check(problems)
    assert problems == [problem]


def test_unknown_words_are_problems_and_help_is_none() -> None:
    """A word that no argument takes is told; -h gives None; argparse's own complaints are problems like others."""
    parser, problems = Parser("it", "does"), list[str]()
    parser.add_argument("--one")
    assert parser.read(["-h"], problems) is None
    assert parser.read(["--two"], problems) is not None
    assert problems == ["--two: is not an argument of this program"]
    with pytest.raises(BadArguments, match="expected one argument"):
        parser.read(["--one"], problems)


def test_files_are_looked_at(tmp_path: Path) -> None:
    """Inputs must be files that can be read; results need a directory, not a file and not a bucket."""
    file = tmp_path / "file"
    file.write_bytes(b"x")
    assert input_problem("INPUT", str(file)) is None
    assert input_problem("INPUT", str(tmp_path / "no")) == f"INPUT: {tmp_path}/no does not exist"
    assert input_problem("INPUT", str(tmp_path)) == f"INPUT: {tmp_path} is not a file"
    assert input_problem("INPUT", "s3://bucket") == "INPUT: s3://bucket names no object; write s3://bucket/key"
    assert output_problem("--out", str(tmp_path / "new")) is None
    assert output_problem("--out", str(file)) == f"--out: {file} is there and is not a directory"
    assert "is in S3" in str(output_problem("--out", "s3://bucket/out"))


def test_one_file_under_two_names_is_told(tmp_path: Path) -> None:
    """A file that is named twice is a problem, by whatever path."""
    (tmp_path / "a").touch()
    other = f"{tmp_path}/../{tmp_path.name}/a"
    assert named_twice("INPUT", [f"{tmp_path}/a", f"{tmp_path}/b", "s3://b/a"]) == []
    assert named_twice("INPUT", ["s3://b/a", "s3://b/a"]) == ["INPUT: s3://b/a is named twice"]
    assert named_twice("INPUT", [f"{tmp_path}/a", other]) == [f"INPUT: {other} is named twice, as {tmp_path}/a"]


def test_checkpoints_go_to_directories_and_buckets(tmp_path: Path) -> None:
    """A place for checkpoints may be a bucket; one that is a file is refused."""
    parser = Parser("it", "does")
    add_checkpoint(parser)
    problems: list[str] = []

    def plan(*words: str) -> CheckpointPlan:
        return read_checkpoint(parser.parse_args(words), problems)

    assert plan() == CheckpointPlan(None, 120)
    assert plan("--checkpoint", "s3://b/p", "--checkpoint-every", "30s") == CheckpointPlan("s3://b/p", 30)
    assert problems == []
    (tmp_path / "file").touch()
    plan("--checkpoint", f"{tmp_path}/file")
    assert problems == [f"--checkpoint: {tmp_path}/file is there and is not a directory"]
