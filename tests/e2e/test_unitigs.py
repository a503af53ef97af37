from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GENOME = "examples/genomics/data/NC_008253.fna.gz"
MPIRUN = Path(sys.executable).parent / "mpiexec"


def unitigs(words: list[str], ranks: int | None) -> None:
    """Run the program: under mpirun, or, with ``ranks`` None, as it is."""
    launcher = [] if ranks is None else [str(MPIRUN), "-n", str(ranks)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [*launcher, sys.executable, "-m", "examples.genomics.unitigs", *words]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads of a random genome of 20 kb with a copied stretch, one base in 200 wrong, and of a plasmid of 3 kb."""
    rng = np.random.default_rng(17)
    letters = np.frombuffer(b"ACGT", np.uint8)
    genome, plasmid = (rng.choice(letters, length) for length in (20_000, 3_000))
    genome[15_000:16_000] = genome[2_000:3_000]
    records: list[str] = []
    for source, many in ((genome, 3000), (np.tile(plasmid, 2), 900)):
        for start in rng.integers(0, len(source) - 100, many).tolist():
            read = source[start : start + 100].copy()
            wrong = rng.random(100) < 0.005
            read[wrong] = rng.choice(letters, int(wrong.sum()))
            records.append(f"@{len(records)}\n{read.tobytes().decode()}\n+\n{'I' * 100}\n")
    path = tmp_path_factory.mktemp("reads") / "reads.fq"
    path.write_text("".join(records))
    return path


def test_results_are_the_same_bytes_under_mpirun(reads: Path, tmp_path: Path) -> None:
    """Two ranks of a real mpirun write the very files that the plain program writes."""
    for ranks in (None, 2):
        unitigs([str(reads), "-k", "31", "--min", "3", "--chunk", "64 KiB", "--out", str(tmp_path / str(ranks))], ranks)
    alone, together = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("None", "2"))
    assert len(alone) == 4
    assert together == alone


def test_whole_genome_has_its_known_unitigs(tmp_path: Path) -> None:
    """E. coli 536 on 2 ranks at k = 31 gives the unitigs, the sums of counts and the links that BCALM2 2.2.3 gives."""
    unitigs([GENOME, "-k", "31", "--min", "1", "--out", str(tmp_path)], 2)
    summary = json.loads((tmp_path / "summary.json").read_text())
    known = {"unitigs": 2549, "letters": 4_924_731, "longest": 128_537, "n50": 31_054, "links": 3506, "circular": 0}
    assert {name: summary[name] for name in known} == known
    assert (
        hashlib.sha256((tmp_path / "unitigs.fa").read_bytes()).hexdigest()
        == "18ea3337c9f784583fa4de49336243e217f0974eb652217e4243a6f1ba40d30c"
    )


@pytest.mark.skipif(not shutil.which("bcalm"), reason="needs Debian's bcalm")
def test_graph_is_bcalms(reads: Path, tmp_path: Path) -> None:
    """Unitigs, sums of counts, the ring of a plasmid and all links are BCALM2's, at k = 31 and where minimizers are short."""
    from benchmarks.unitigs import read_graph  # benchmarks are no part of an installation

    for k in (11, 31):
        unitigs([str(reads), "-k", str(k), "--min", "3", "--out", str(tmp_path / "out")], None)
        peer = ["bcalm", "-in", str(reads), "-kmer-size", str(k), "-abundance-min", "3", "-nb-cores", "1", "-out", "peer"]
        subprocess.run(peer, cwd=tmp_path, check=True, capture_output=True, timeout=60)
        graph = read_graph(tmp_path / "out/unitigs.fa", k)
        assert graph == read_graph(tmp_path / "peer.unitigs.fa", k)
        assert json.loads((tmp_path / "out/summary.json").read_text())["circular"] == (k == 31)
