"""What the documents tell a user to type works, and what is generated is up to date."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from batchhpc import CompiledJob, EnvironmentSpec, JobSpec, LocalRunner, compile_environment, compile_job
from batchhpc.cli import arguments
from batchhpc.errors import InvalidSpec
from batchhpc.local import Fault

PAGES = [
    Path("README.md"),
    Path("docs/tutorial.md"),
    Path("examples/genomics/README.md"),
    Path("examples/genomics/kmers/README.md"),
    Path("examples/genomics/unitigs/README.md"),
    Path("examples/genomics/gwas/README.md"),
    Path("examples/risk/README.md"),
    Path("examples/risk/market/README.md"),
    Path("examples/risk/american/README.md"),
    Path("examples/risk/exposure/README.md"),
    Path("CONTRIBUTING.md"),
    Path("docs/how-to/spot.md"),
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


COMMANDS = sorted(
    {
        line.removeprefix("$ ").strip()
        for page in PAGES
        for block in blocks(page, "(?:console)?")
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith(("batchhpc ", "make"))
    }
)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("batchhpc")])
def test_every_command_of_the_documents_is_one(command):
    """The command line understands each batchhpc command that a page shows, faults included."""
    args = arguments.parse(shlex.split(command, comments=True)[1:])
    for fault in getattr(args, "fault", []):
        Fault.parse(fault)


def test_every_make_target_of_the_documents_exists():
    """Each `make X` of a page is a target, and each target says what it does."""
    listed = subprocess.run(["make", "help"], capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make (\w+) +\S", listed, re.MULTILINE))
    named = {word for page in PAGES for word in re.findall(r"[`$] ?make (\w+)", page.read_text())}
    assert named
    assert named <= targets


def test_the_script_of_the_readme_is_the_main_job(monkeypatch):
    """README's Python script compiles to the very documents that its YAML file compiles to."""
    seen = []

    class Submitted:
        state = exit_code = None

        def wait(self):
            return self

    def submit(_, compiled: CompiledJob):
        seen.append(compiled)
        return Submitted()

    monkeypatch.setattr(LocalRunner, "submit", submit)
    (script,) = blocks(Path("README.md"), "python")
    exec(script, {})  # noqa: S102 - the page's own words
    expected = compile_job(JobSpec.from_yaml(Path("examples/genomics/kmers.yaml").read_text()))
    assert [compiled.to_json() for compiled in seen] == [expected.to_json()]


def test_the_specs_of_the_tutorial_are_what_it_says_of_them():
    """Its broken spec breaks, by rule, and its sound one compiles to a multi-node job."""
    broken, sound = blocks(Path("docs/tutorial.md"), "yaml")
    with pytest.raises(InvalidSpec):
        JobSpec.from_yaml(broken)
    with pytest.raises(InvalidSpec, match="R9"):
        compile_job(JobSpec.from_yaml(broken.replace("too much", "too-much")))
    assert compile_job(JobSpec.from_yaml(sound)).shape == "multinode"


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*/*.yaml")), ids=str)
def test_editors_accept_the_examples(path):
    """The JSON schema accepts each example's spec, of a job or of an environment, as it is written."""
    data = YAML(typ="safe", pure=True).load(path.read_text())
    jsonschema.validate(data, (EnvironmentSpec if "max_nodes" in data else JobSpec).json_schema())


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*/*.yaml")), ids=str)
def test_the_examples_compile(path):
    """Each example's spec breaks no rule: of jobs in the made-up environment, of environments by themselves."""
    text = path.read_text()
    if "max_nodes" in text:
        assert compile_environment(EnvironmentSpec.from_yaml(text)).template
    else:
        assert compile_job(JobSpec.from_yaml(text)).register


def test_the_generated_pages_are_up_to_date():
    """docs/reference says what the code says; `make docs` writes it anew."""
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", [*PAGES, Path("docs/architecture.md")])
def test_every_link_leads_somewhere(page):
    """No page links to a file that is not there."""
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link
