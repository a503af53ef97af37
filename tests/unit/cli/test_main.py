"""The command line as a whole: what ends with which exit code, and what is said."""

import io
import json
import sys
from pathlib import Path

import pytest

from batchhpc.cli import schema
from batchhpc.cli.main import main
from batchhpc.errors import BatchHpcError, InvalidSpec, Problem, Unavailable
from tests.unit.cli.conftest import JOB, Cli


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints name and version, and nothing else."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, "batchhpc 0.1.0\n")


@pytest.mark.parametrize("verb", ["check", "compile", "schema", "run", "instances"])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb's help fits a screen and ends with an example of that verb."""
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert lines[-1].startswith(f"example: batchhpc {verb} ")
    assert len(lines) < 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "batchhpc: the following arguments are required: VERB\n  hint: batchhpc --help\n"),
        (["run"], "batchhpc run: the following arguments are required: JOB\n  hint: batchhpc run --help\n"),
        (["check", "j", "--nods", "3"], "batchhpc: unrecognized arguments: --nods 3\n  hint: batchhpc --help\n"),
        (["check", "j", "--", "echo"], "batchhpc: check takes no command behind --\n  hint: batchhpc --help\n"),
        (["run", "j", "--nodes", "x"], "batchhpc run: argument --nodes: invalid int value: 'x'\n  hint: batchhpc run --help\n"),
    ],
)
def test_wrong_command_line(cli: Cli, words: list[str], message: str) -> None:
    """A wrong command line ends with 2, and says what is wrong and where help is."""
    said = cli(*words)
    assert (said.code, said.out, said.err) == (2, "", message)


def test_no_such_file(cli: Cli, tmp_path: Path) -> None:
    """A spec that is not there is named."""
    path = tmp_path / "missing.yaml"
    assert cli("check", path) == (said := cli("check", path))
    assert (said.code, said.err) == (2, f"{path}: there is no such file\n")


def test_directory(cli: Cli, tmp_path: Path) -> None:
    """A directory in a spec's place is told from a file."""
    said = cli("check", tmp_path)
    assert (said.code, said.err) == (2, f"{tmp_path}: is a directory\n  hint: name the file in it\n")


def test_not_text(cli: Cli, tmp_path: Path) -> None:
    """A file that is no text is refused, with the place of the first wrong byte."""
    path = tmp_path / "job.yaml"
    path.write_bytes(b"name: \xff")
    assert cli("check", path).err == f"{path}: is not UTF-8 text (byte 6)\n"


def test_unreadable(cli: Cli, job: Path) -> None:
    """A file that cannot be opened for another reason is refused with the system's own words."""
    said = cli("check", job / "below")
    assert (said.code, said.err) == (2, f"{job / 'below'}: cannot be read: Not a directory\n")


def test_byte_order_mark(cli: Cli, tmp_path: Path) -> None:
    """A byte order mark, as some editors write it, does no harm."""
    path = tmp_path / "job.yaml"
    path.write_text(JOB, encoding="utf-8-sig")
    assert cli("check", path).code == 0


def test_json_file(cli: Cli, tmp_path: Path) -> None:
    """A .json file is read as JSON, a .yml file as YAML."""
    (tmp_path / "job.json").write_text('{"name": "a", "image": "x", "command": "echo"}')
    (tmp_path / "broken.json").write_text("name: a")
    (tmp_path / "job.yml").write_text(JOB)
    assert cli("check", tmp_path / "job.json").code == 0
    assert "is not JSON" in cli("check", tmp_path / "broken.json").err
    assert cli("check", tmp_path / "job.yml").code == 0


def test_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spec named - comes from standard input, and messages say so."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: a\nimage: x\ncommand: x\nnodes: 0\n")))
    assert cli("check", "-").err == "standard input: nodes: must be at least 1, but is 0\n"


def test_every_problem_is_shown(cli: Cli, tmp_path: Path) -> None:
    """All problems of a spec are shown at once, each with the file's name."""
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nimage: x\ncommand: x\nnodes: 0\nranks_per_node: 0\n")
    said = cli("check", path)
    assert (said.code, said.err.splitlines()) == (2, [
        f"{path}: nodes: must be at least 1, but is 0",
        f"{path}: ranks_per_node: must be at least 1, but is 0",
    ])  # fmt: skip


def test_error_that_names_its_document_keeps_the_rest() -> None:
    """Naming the document of an error loses nothing of it, the spec without its wrong fields included."""
    error = InvalidSpec([Problem("nodes", "is wrong")], rest="the rest").of("job.yaml")
    assert (str(error), error.rest) == ("job.yaml: nodes: is wrong", "the rest")


def test_json_errors(cli: Cli, tmp_path: Path) -> None:
    """With --json an error is JSON on standard output, with every problem, and the exit code is the same."""
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nimage: x\ncommand: x\nnodez: 1\n")
    said = cli("check", path, "--json")
    assert (said.code, said.err, said.json["error"]) == (2, "", "InvalidSpec")
    assert said.json["problems"] == [
        {
            "path": "nodez",
            "message": "is not a field of this document",
            "hint": "did you mean nodes?",
            "rule": "",
            "severity": "error",
            "waived": "",
        }
    ]


@pytest.mark.parametrize("words", [["--json", "check", "x"], ["check", "x", "--json"], ["--json", "check", "x", "--json"]])
def test_json_before_and_behind_the_verb(cli: Cli, words: list[str]) -> None:
    """--json may stand on either side of the verb."""
    assert cli(*words).json["message"] == "x: there is no such file"
    assert cli("--json", "schema").json["title"] == "JobSpec"


@pytest.mark.parametrize("words", [["--debug", "check", "x"], ["check", "x", "--debug"]])
def test_debug_before_and_behind_the_verb(cli: Cli, words: list[str]) -> None:
    """--debug may stand on either side of the verb."""
    assert "Traceback" in cli(*words).err


@pytest.mark.parametrize("verb", ["check", "instances"])
def test_json_before_the_verb_reaches_it(cli: Cli, job: Path, verb: str) -> None:
    """What stands before the verb holds for its result, too, not for errors only."""
    words = [verb, job if verb == "check" else "c7i.large"]
    assert cli("--json", *words).out == cli(*words, "--json").out


def test_json_of_a_wrong_command_line(cli: Cli) -> None:
    """With --json even a wrong command line is reported as JSON."""
    assert cli("chek", "--json").json["error"] == "InvalidSpec"


@pytest.mark.parametrize(("error", "code"), [(Unavailable("no mpirun"), 69), (BatchHpcError("no"), 1)])
def test_exit_code_of_the_error(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BatchHpcError, code: int) -> None:
    """Each of our errors ends the command with its own exit code and its message alone."""

    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(schema, "run", fail)
    said = cli("schema")
    assert (said.code, said.err) == (code, f"{error}\n")


def test_unexpected_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody expected is one line and a hint; --debug shows the traceback; the exit code is 70."""

    def fail(args: object) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(schema, "run", fail)
    said, debugged, as_json = cli("schema"), cli("schema", "--debug"), cli("schema", "--json")
    assert said.code == debugged.code == as_json.code == 70
    assert (
        said.err == "batchhpc: internal error: ZeroDivisionError: by zero\n  hint: this is a bug of batchhpc; --debug shows where\n"
    )
    assert "Traceback" in debugged.err
    assert as_json.json["error"] == "ZeroDivisionError"


def test_interrupt(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends any verb quietly with 130."""

    def interrupt(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "run", interrupt)
    said = cli("schema")
    assert (said.code, said.err) == (130, "")


def test_schema(cli: Cli) -> None:
    """The schema of each document is printed as JSON, with or without --json."""
    assert cli("schema").json["title"] == "JobSpec"
    assert cli("schema", "environment").json["title"] == "EnvironmentSpec"
    assert json.loads(cli("schema", "job", "--json").out) == cli("schema").json
