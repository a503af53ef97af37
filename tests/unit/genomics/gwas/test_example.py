from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from batchhpc.spec.job import JobSpec
from examples.genomics.data import make_traits
from examples.genomics.gwas.arguments import read_arguments

GENOMICS = Path(__file__).parents[4] / "examples/genomics"
DATA = sorted((GENOMICS / "data").glob("1000genomes-chr16.*"))


def test_job_spec_runs_the_command_of_the_readme() -> None:
    """The demo's job spec is valid, and its command is the one the README shows, with arguments the program takes."""
    spec = JobSpec.from_yaml((GENOMICS / "gwas.yaml").read_text())
    assert f"\npython {' '.join(spec.command[1:])}\n" in (GENOMICS / "gwas/README.md").read_text()
    assert spec.command[:3] == ("python3", "-m", "examples.genomics.gwas")
    arguments = read_arguments([word.replace("examples/genomics", str(GENOMICS)) for word in spec.command[3:]])
    assert arguments is not None
    assert arguments.analyses == {"freq", "missing", "hardy", "pca", "grm", "glm"}


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.suffix)
def test_data_are_what_their_readme_says(path: Path) -> None:
    """The checksum of each file is the one stated beside it."""
    assert f"| `{path.name}` |" in (GENOMICS / "data/README.md").read_text()
    assert f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`" in (GENOMICS / "data/README.md").read_text()


def test_traits_are_made_again_from_the_genotypes(tmp_path: Path) -> None:
    """The script beside the data makes the very phenotypes and covariates that are there."""
    make_traits.main(tmp_path)
    assert len(DATA) == 5
    for ending in ("pheno", "covar"):
        name = f"1000genomes-chr16.{ending}"
        assert (tmp_path / name).read_bytes() == (GENOMICS / "data" / name).read_bytes()
