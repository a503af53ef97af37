from __future__ import annotations

import hashlib
from pathlib import Path

from batchhpc.spec.job import JobSpec
from examples.genomics.kmers.arguments import read_arguments

GENOMICS = Path(__file__).parents[4] / "examples/genomics"


def test_job_spec_runs_the_command_of_the_readme() -> None:
    """The demo's job spec is valid, and its command is the one the README shows, with arguments the program takes."""
    spec = JobSpec.from_yaml((GENOMICS / "kmers.yaml").read_text())
    assert (spec.name, spec.nodes, spec.ranks_per_node) == ("kmers", 4, 1)
    assert f"mpirun -n 4 python {' '.join(spec.command[1:])}\n" in (GENOMICS / "kmers/README.md").read_text()
    assert spec.command[:3] == ("python3", "-m", "examples.genomics.kmers")
    arguments = read_arguments([word.replace("examples/genomics", str(GENOMICS)) for word in spec.command[3:]])
    assert arguments is not None
    assert arguments.k == 31


def test_data_is_what_its_readme_says() -> None:
    """The genome's checksum is the one stated beside it."""
    digest = hashlib.sha256((GENOMICS / "data/NC_008253.fna.gz").read_bytes()).hexdigest()
    assert f"`{digest}`" in (GENOMICS / "data/README.md").read_text()
