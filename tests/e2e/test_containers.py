"""The real images in real containers: built by ``batchhpc image``, started as AWS Batch would, a real mpirun across them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchhpc.compiler import compile_job
from batchhpc.compiler.documents import CompiledJob
from batchhpc.spec import JobSpec
from tests.e2e import containers
from tests.e2e.containers import OS_IMAGE, PLATFORM, PROGRAMS, Podman, start
from tests.e2e.local_jobs import until

pytestmark = [
    pytest.mark.skipif(bool(containers.missing()), reason=containers.missing()),
    pytest.mark.timeout(600),  # the first test fetches a Debian, fetches wheels and builds three images
]
MOUNT = f"{PROGRAMS}:/programs:ro"


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    made = Podman()
    try:
        made.make_network()
        yield made
    finally:
        made.remove_all()


@pytest.fixture(scope="module")
def images(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The three images on a Debian, with MPICH; by name."""
    containers.provide_os(podman)
    wheels = containers.provide_wheels()
    words = ["--engine", "podman", "--platform", PLATFORM, "--base-image", OS_IMAGE, "--build-arg", "MPI=mpich"]
    directory = tmp_path_factory.mktemp("state")
    code, said = podman.batchhpc("image", "build", "base", "genomics", "risk", *words, "--wheels", wheels, "--directory", directory)
    assert code == 0, said
    return {each["name"]: each["reference"] for each in said["images"]}


def job(image: str, *words: str, nodes: int = 2) -> CompiledJob:
    """A job of two ranks a node that runs a verb of ``program.py``."""
    command = ["python3", "-m", "mpi4py", "/programs/program.py", *words]
    return compile_job(JobSpec(name="job", image=image, command=command, nodes=nodes, ranks_per_node=2, memory_per_node="1 GiB"))


def test_ranks_of_two_containers_are_one_mpi_job(podman: Podman, images: dict[str, str]):
    """The compiled command in two containers of the image makes one MPI job whose ranks run on both, as a plain user."""
    nodes = start(podman, job(images["base"], "ok"), mounts=[MOUNT])
    assert [nodes.wait(0), nodes.wait(1)] == [0, 0], nodes.log(0)
    said = [line for line in (*nodes.log(0), *nodes.log(1)) if line.startswith("rank ")]
    assert sorted(said) == [f"rank {rank} of 4 on node {rank // 2} in attempt 1" for rank in range(4)]


def test_the_entry_point_is_the_agent(podman: Podman, images: dict[str, str]):
    """A command that does not name the agent is run by it all the same, since it is the image's entry point."""
    bare = ["python3", "-m", "mpi4py", "/programs/program.py", "ok"]
    nodes = start(podman, job(images["base"], "ok"), mounts=[MOUNT], bare=bare)
    assert nodes.wait(0) == 0, nodes.log(0)
    assert "rank 0 of 4 on node 0 in attempt 1" in nodes.log(0)


def test_exit_code_passes_through(podman: Podman, images: dict[str, str]):
    """The program's own exit code, on the node that is not the main one, is that of the main node's container."""
    nodes = start(podman, job(images["base"], "exit", "7"), mounts=[MOUNT])
    assert nodes.wait(0) == 7, nodes.log(0)


def test_a_killed_container_is_infrastructure(podman: Podman, images: dict[str, str]):
    """When one container is killed, the main node names it and ends with 75, which AWS Batch retries."""
    nodes = start(podman, job(images["base"], "hang"), mounts=[MOUNT])
    until(lambda: any(event["event"] == "ranks_running" for event in nodes.events(0)))
    nodes.kill(1)
    assert nodes.wait(0) == 75, nodes.log(0)
    assert any(event["event"] == "node_lost" and event["lost"] == "1" for event in nodes.events(0)), nodes.log(0)


def test_what_the_image_holds(podman: Podman, images: dict[str, str]):
    """The image passes its own check: new enough a Python, an MPI, no root, no sshd; and it has neither pip nor a compiler."""
    code, said = podman.batchhpc("image", "check", images["base"], "--engine", "podman")
    assert code == 0, said
    assert (said["user"], said["sshd"], said["mpi"], said["warnings"]) == (1000, False, "MPICH", [])
    probe = "for name in sshd ssh gcc cc pip pip3; do command -v $name; done; ls -A /root/.ssh; ls -A /home/batchhpc"
    probe += "; find / -xdev '(' -name authorized_keys -o -name 'id_rsa*' ')'"
    command = ["run", "--rm", "--network", "none", "--entrypoint", "sh", images["base"], "-c", f"({probe}) 2>/dev/null; id -u"]
    assert podman(*command).split() == ["1000"]


def test_an_image_without_the_agent_is_told_what_it_lacks(podman: Podman, images: dict[str, str]):
    """The check of a plain Debian names the agent, and says how it comes into an image."""
    code, said = podman.batchhpc("image", "check", OS_IMAGE, "--engine", "podman")
    assert code == 2
    assert {each["path"]: each["severity"] for each in said["problems"]} == {
        "user": "warning",
        "batchhpc.agent": "error",
        "mpirun": "warning",
        "boto3": "warning",
    }


def test_genomics_image_counts_a_genome(podman: Podman, images: dict[str, str], tmp_path: Path):
    """The genomics image counts E. coli's k-mers on two containers that share a directory, as the example's README says."""
    results = tmp_path / "results"
    results.mkdir()
    results.chmod(0o777)
    spec = JobSpec.from_yaml((containers.CHECKOUT / "examples/genomics/kmers.yaml").read_text(), "kmers.yaml")
    nodes = start(
        podman,
        compile_job(spec.replace(image=images["genomics"], nodes=2)),
        mounts=[f"{results}:/home/batchhpc/results"],
    )
    assert nodes.wait(0) == 0, nodes.log(0)
    assert json.loads((results / "kmers" / "summary.json").read_text())["distinct"] == 4_848_261


def test_risk_image_prices_a_contract_of_a_yaml_file(podman: Podman, images: dict[str, str]):
    """The risk image has its workloads, scipy and ruamel.yaml beside the base's own numpy, and is still not root."""
    words = [
        "--contract",
        "examples/risk/data/heston-puts.yaml",
        "--paths",
        "8192",
        "--lower-paths",
        "8192",
        "--no-upper",
        "--out",
        "/tmp/out",
    ]
    run = ["run", "--rm", "--network", "none", "--entrypoint", "python3", "--workdir", "/home/batchhpc", images["risk"]]
    assert "lower bound" in podman(*run, "-m", "examples.risk.american", *words)
    assert podman(*run, "-c", "import os; print(os.getuid())").split() == ["1000"]
