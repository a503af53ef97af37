from __future__ import annotations

from pathlib import Path

from batchhpc.spec.job import JobSpec
from examples.genomics.unitigs.arguments import read_arguments

GENOMICS = Path(__file__).parents[4] / "examples/genomics"


def test_job_spec_runs_the_command_of_the_readme() -> None:
    """The job spec is valid, and its command is the one the README shows, with arguments the program takes."""
    spec = JobSpec.from_yaml((GENOMICS / "unitigs.yaml").read_text())
    assert f"mpirun -n 4 python {' '.join(spec.command[1:])}\n" in (GENOMICS / "unitigs/README.md").read_text()
    arguments = read_arguments([word.replace("examples/genomics/data", str(GENOMICS / "data")) for word in spec.command[3:]])
    assert arguments is not None
    assert (arguments.k, arguments.min) == (31, 1)
