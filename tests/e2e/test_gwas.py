from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUDY = "examples/genomics/data/1000genomes-chr16"
FILES = ["--bfile", STUDY, "--pheno", f"{STUDY}.pheno", "--covar", f"{STUDY}.covar"]
ASKED = ["--freq", "--missing", "--hardy", "--pca", "10", "--grm", "--glm"]
MPIRUN = Path(sys.executable).parent / "mpiexec"


def gwas(words: list[str], ranks: int | None) -> subprocess.CompletedProcess[str]:
    """Run the program: under mpirun, or, with ``ranks`` None, as it is."""
    launcher = [] if ranks is None else [str(MPIRUN), "-n", str(ranks)]
    command = [*launcher, sys.executable, "-m", "examples.genomics.gwas", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example gives on two ranks."""
    out = tmp_path_factory.mktemp("gwas") / "two"
    run = gwas([*FILES, *ASKED, "--out", str(out)], 2)
    assert run.returncode == 0, run.stderr
    told = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    assert [line[:2] for line in told if line[0] == "glm"] == [["glm", "height"], ["glm", "disease"]]  # one table, not one a rank
    return out


@pytest.mark.parametrize("ranks", [None, 3])
def test_results_are_the_same_bytes_on_any_number_of_ranks(results: Path, tmp_path: Path, ranks: int | None) -> None:
    """Under a real mpirun, 2 and 3 ranks write the very files that the plain program writes."""
    run = gwas([*FILES, *ASKED, "--out", str(tmp_path / "out")], ranks)
    assert run.returncode == 0, run.stderr
    found, expected = ({path.name: path.read_bytes() for path in sorted(out.iterdir())} for out in (tmp_path / "out", results))
    assert len(expected) == 15
    assert found == expected


def test_the_example_has_its_known_numbers(results: Path) -> None:
    """Frequencies and missing calls are plink2's bytes, the best variants its lines, eigenvalues its digits.

    PLINK v2.00a3.5 as in Debian 12: ``--freq --missing --glm hide-covar``, ``--pca 10 meanimpute``.
    """
    known = {
        "gwas.afreq": "f4cf0baed748b3598ca0ab08ca370ff742a6c83a4c630cdeb1a32edd0d2bbfa7",
        "gwas.vmiss": "cccef98861c270205fc39999825fcb82822c9f32541e95a9c1a4a36301a74661",
    }
    assert {name: hashlib.sha256((results / name).read_bytes()).hexdigest() for name in known} == known
    height = (results / "height.glm.linear").read_text().splitlines()
    assert "16\t56767125\trs12921489\tT\tA\tA\tADD\t466\t3.83449\t0.424674\t9.02927\t4.70199e-18\t." in height
    disease = [line.split("\t") for line in (results / "disease.glm.logistic.hybrid").read_text().splitlines()]
    (best,) = (line for line in disease if line[2] == "rs12925122")
    assert best[5:11] == ["C", "N", "ADD", "489", "3.1805", "0.191171"]
    values = (results / "gwas.eigenval").read_text().split()
    assert values[:5] == ["85.6182", "51.2667", "43.4656", "33.5173", "32.0449"]
    told = json.loads((results / "run.json").read_text())
    assert told["glm"]["height"]["smallest P"] == {"id": "rs12921489", "P": "4.70199e-18"}
    assert told["principal components"]["not converged"] == []


def test_every_line_is_plinks(results: Path, tmp_path: Path) -> None:
    """All of plink2's lines are here: ids, alleles and counts equal, effects to the last printed digit or 1e-6 of their error."""
    if not shutil.which("plink2"):
        pytest.skip("plink2 is not installed")
    words = ["plink2", *FILES, "--glm", "hide-covar", "--hardy", "--threads", "1", "--out", str(tmp_path / "peer")]
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=60)
    for name, exact in (("height.glm.linear", 8), ("gwas.hardy", 7)):
        ours = [line.split("\t") for line in (results / name).read_text().splitlines()]
        theirs = [line.split("\t") for line in (tmp_path / f"peer.{name.removeprefix('gwas.')}").read_text().splitlines()]
        assert [line[:exact] for line in ours] == [line[:exact] for line in theirs]
        for mine, peer in zip(ours[1:], theirs[1:], strict=True):
            for left, right in zip(mine[exact:], peer[exact:], strict=True):
                assert left == right or float(left) == pytest.approx(float(right), rel=1.1e-5), (name, mine[:3])


def test_a_malformed_fileset_ends_all_ranks_and_is_told_once(tmp_path: Path) -> None:
    """A .bed that is cut off ends mpirun with 65 and one message, and leaves nothing behind."""
    for ending in ("bim", "fam"):
        shutil.copy(ROOT / f"{STUDY}.{ending}", tmp_path / f"cut.{ending}")
    (tmp_path / "cut.bed").write_bytes((ROOT / f"{STUDY}.bed").read_bytes()[:-7])
    run = gwas(["--bfile", str(tmp_path / "cut"), "--freq", "--out", str(tmp_path / "out")], 2)
    assert run.returncode == 65
    assert run.stderr.count("has 61,988 bytes, but 492 variants of 503 samples take 3 + 492 x 126 = 61,995") == 1
    assert not (tmp_path / "out").exists()
