"""check and compile: what a job becomes, for people and for programs."""

import json
from pathlib import Path

from batchhpc.compiler import compile_environment, compile_job
from batchhpc.spec import Environment, EnvironmentSpec, JobSpec
from tests.unit.cli.conftest import JOB, Cli

SPOT = "name: cheap\nregion: us-east-1\ncapacity: spot\ninstance_types: [c7i.4xlarge]\nmax_nodes: 9\nfabric: ena\n"


def test_check(cli: Cli, job: Path) -> None:
    """A job that is fine is shown with its shape and why, ranks, resources and limits."""
    said = cli("check", job)
    assert said.code == 0
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "kmers is fine: multinode, because the job has 4 nodes and environment local is on-demand.",
        "ranks          8 in all",
        "nodes 0:       4 nodes x 2 ranks x 2 cpus, on each 4 vCPU, 8 GiB",
        "instance type  not named",
        "time limit     1h an attempt, 3 attempts at most",
        "environment    local (on-demand), queue local",
    ]


def test_check_groups(cli: Cli, job: Path) -> None:
    """Nodes that differ are counted as the compiled documents have them: the narrower range wins."""
    job.write_text(JOB + "node_groups: [{nodes: '1:2', ranks_per_node: 1, memory_per_node: 16 GiB}]\n")
    facts = cli("check", job, "--json").json
    assert {each["nodes"]: (each["count"], each["ranks_per_node"], each["memory_mib"]) for each in facts["ranges"]} == {
        "0:": (2, 2, 8192),
        "1:2": (2, 1, 16384),
    }
    assert facts["ranks"] == 6


def test_check_one_node(cli: Cli, tmp_path: Path) -> None:
    """A job of one node is shown the same way, as a container."""
    path = tmp_path / "one.yaml"
    path.write_text("name: one\nimage: x\ncommand: echo hi\nranks_per_node: 4\n")
    facts = cli("check", path, "--json").json
    assert (facts["shape"], facts["ranks"], facts["ranges"][0]["vcpus"]) == ("container", 4, 4)


def test_check_environment(cli: Cli, job: Path, tmp_path: Path) -> None:
    """The environment that is named decides the shape."""
    environment = tmp_path / "spot.yaml"
    environment.write_text(SPOT)
    facts = cli("check", job, "--environment", environment, "--json").json
    assert (facts["shape"], facts["environment"], facts["queue"]) == ("gang", "cheap", "batchhpc-cheap")


def test_check_of_an_environment(cli: Cli, tmp_path: Path) -> None:
    """An environment spec is shown as what it becomes: types, interfaces by card, nodes, vCPUs, storage."""
    path = tmp_path / "env.yaml"
    path.write_text(
        "name: near\nregion: eu-north-1\ninstance_types: [hpc7a.96xlarge]\nmax_nodes: 16\nstorage:\n"
        "  - {name: scratch, mount: /fsx, lustre: {}}\n"
    )
    shown, told = cli("check", path).out, cli("check", path, "--json").json
    assert "2 EFA interfaces: card 0 efa, card 1 efa-only, cluster placement group" in shown
    assert "at most 16 nodes, 3072 vCPU, on-demand" in shown
    assert "scratch: lustre at /fsx" in shown
    assert [each["name"] for each in told["instance_types"]] == ["hpc7a.96xlarge"]
    assert [(each["card"], each["kind"]) for each in told["interfaces"]] == [(0, "efa"), (1, "efa-only")]
    assert (told["max_vcpus"], told["storage"][0]["kind"]) == (3072, "lustre")


def test_all_that_is_wrong_with_an_environment(cli: Cli, job: Path, tmp_path: Path) -> None:
    """Wrong fields and broken rules of an environment are told together, with its file's name, by check and for a job."""
    path = tmp_path / "env.yaml"
    path.write_text(SPOT + "log_days: 80\nmin_node: 1\n")
    for said in (cli("check", path), cli("check", job, "--environment", path)):
        assert said.code == 2
        assert f"{path}: min_node: " in said.err
        assert f"{path}: log_days: is 80" in said.err
    assert "is an environment spec itself" in cli("check", path, "--environment", path).err


def test_storage_of_the_environment(cli: Cli, job: Path, tmp_path: Path) -> None:
    """A mount that names a storage becomes the environment's host directory; without an environment the hint says how."""
    path = tmp_path / "env.yaml"
    path.write_text(SPOT + "storage: [{name: scratch, mount: /fsx, lustre: {}}]\n")
    job.write_text(JOB + "mounts: [{storage: scratch, directory: run1, target: /data}]\n")
    made = cli("compile", job, "--environment", path).json["register"]["containerProperties"]
    assert made["volumes"][0]["host"] == {"sourcePath": "/fsx/run1"}
    assert made["mountPoints"][0]["containerPath"] == "/data"
    said = cli("check", job)
    assert "mounts[0].storage: is scratch, but environment local has no storage (R23)\n  hint: --environment" in said.err


def test_check_broken_rule(cli: Cli, job: Path, tmp_path: Path) -> None:
    """A job that breaks a rule of AWS Batch is refused with the file's name, the rule and exit code 2."""
    environment = tmp_path / "spot.yaml"
    environment.write_text(SPOT)
    job.write_text(JOB + "shape: multinode\n")
    said = cli("check", job, "--environment", environment)
    assert said.code == 2
    assert said.err.startswith(f"{job}: ")
    assert "(R11)" in said.err


def test_waived_rule(cli: Cli, job: Path, tmp_path: Path) -> None:
    """A waived rule is a row of the table with its reason, a warning of compile, and in the JSON."""
    environment = tmp_path / "spot.yaml"
    environment.write_text(SPOT)
    job.write_text(JOB + "shape: multinode\nwaive: {R11: case 123}\n")
    table = cli("check", job, "--environment", environment).out
    assert "waived: case 123" in next(line for line in table.splitlines() if line.startswith("R11"))
    warnings = cli("check", job, "--environment", environment, "--json").json["warnings"]
    assert [(each["rule"], each["waived"]) for each in warnings if each["waived"]] == [("R11", "case 123")]
    assert f"warning: {job}: " in cli("compile", job, "--environment", environment).err


def test_compile(cli: Cli, job: Path) -> None:
    """Compile prints exactly the canonical documents that a Python user gets."""
    said = cli("compile", job)
    assert (said.code, said.out) == (0, compile_job(JobSpec.from_yaml(JOB), Environment()).to_json())


def test_compile_of_an_environment(cli: Cli, tmp_path: Path) -> None:
    """Of an environment, compile prints, tells or writes exactly the template that a Python user gets."""
    path = tmp_path / "env.yaml"
    path.write_text("name: near\nregion: eu-north-1\ninstance_types: [hpc7a.96xlarge]\nmax_nodes: 16\n")
    wanted = compile_environment(EnvironmentSpec.from_yaml(path.read_text()))
    assert cli("compile", path).out == wanted.to_json()
    assert cli("compile", path, "--json").json == {"warnings": [], "template": wanted.template}
    cli("compile", path, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "template.json").read_text() == wanted.to_json()


def test_compile_as_json(cli: Cli, job: Path, tmp_path: Path) -> None:
    """With --json the documents come with the shape, why it is that, and the warnings, and standard error is empty."""
    environment = tmp_path / "spot.yaml"
    environment.write_text(SPOT)
    job.write_text(JOB + "shape: multinode\nwaive: {R11: case 123}\n")
    words = ("compile", job, "--environment", environment)
    said, plain = cli(*words, "--json"), cli(*words).json
    assert said.err == ""
    assert list(said.json) == ["shape", "why", "warnings", "register", "submit"]
    assert (said.json["shape"], {name: said.json[name] for name in plain}) == ("multinode", plain)
    assert [each["waived"] for each in said.json["warnings"] if each["rule"] == "R11"] == ["case 123"]
    template = cli(*words, "--json", "--format", "cloudformation").json
    assert template["template"] == cli(*words, "--format", "cloudformation").json


def test_compile_cloudformation(cli: Cli, job: Path) -> None:
    """The same job as a CloudFormation template."""
    resources = cli("compile", job, "--format", "cloudformation").json["Resources"]
    assert [each["Type"] for each in resources.values()] == ["AWS::Batch::JobDefinition"]


def test_compile_out(cli: Cli, job: Path, tmp_path: Path) -> None:
    """--out writes one file a document, makes the directory, and names the files."""
    out = tmp_path / "new" / "documents"
    said = cli("compile", job, "--out", out)
    assert said.out.splitlines() == [str(out / "register.json"), str(out / "submit.json")]
    assert {
        "register": json.loads((out / "register.json").read_text()),
        "submit": json.loads((out / "submit.json").read_text()),
    } == (cli("compile", job).json)
    template = cli("compile", job, "--format", "cloudformation", "--out", out, "--json")
    assert (template.json["shape"], template.json["files"]) == ("multinode", [str(out / "template.json")])


def test_compile_out_refused(cli: Cli, job: Path) -> None:
    """A directory that cannot be made is an error with exit code 2, not a traceback."""
    said = cli("compile", job, "--out", job / "below")
    assert said.code == 2
    assert "cannot be written" in said.err
