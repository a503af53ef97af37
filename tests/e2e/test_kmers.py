from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchhpc.agent.contract import AGENT_SOCKET, NODE_INDEX, parse_event_line
from examples.genomics.kmers.table import CountTable

ROOT = Path(__file__).parents[2]
GENOME = ROOT / "examples/genomics/data/NC_008253.fna.gz"
MPIRUN = Path(sys.executable).parent / "mpiexec"
PROGRAM = [sys.executable, "-m", "examples.genomics.kmers"]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **variables}


def kmers(words: list[str], ranks: int | None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program: under mpirun, or, with ``ranks`` None, as it is."""
    launcher = [] if ranks is None else [str(MPIRUN), "-n", str(ranks)]
    return subprocess.run(
        [*launcher, *PROGRAM, *words],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def results(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first 60 kb of the genome: as FASTA, and as overlapping reads in FASTQ, plain and gzipped."""
    folder = tmp_path_factory.mktemp("piece")
    with gzip.open(GENOME, "rt") as file:
        lines = [next(file) for _ in range(858)]
    bases = "".join(line.strip() for line in lines[1:])
    reads = "".join(f"@{at}\n{bases[at : at + 150]}\n+\n{'I' * 150}\n" for at in range(0, len(bases) - 150, 30))
    paths = {name: folder / name for name in ("piece.fa", "reads.fq", "reads.fq.gz")}
    paths["piece.fa"].write_text("".join(lines))
    paths["reads.fq"].write_text(reads)
    paths["reads.fq.gz"].write_bytes(gzip.compress(reads.encode(), mtime=0))
    return paths


def test_results_are_the_same_bytes_on_any_number_of_ranks(piece: dict[str, Path], tmp_path: Path) -> None:
    """Under a real mpirun, 2 and 3 ranks write the very files that the plain program writes, from FASTA, FASTQ and gzip."""
    words = [*map(str, piece.values()), "-k", "31", "--tsv", "--chunk", "64 KiB"]
    found = []
    for ranks in (None, 2, 3):
        run = kmers([*words, "--out", str(tmp_path / str(ranks))], ranks)
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith("inputs ")
        assert run.stdout.count("\n") == 8  # one table, not one a rank
        found.append(results(tmp_path / str(ranks)))
    assert len(found[0]) == 2 * 16 + 2 + 4
    assert all(files == found[0] for files in found)


def test_killed_run_goes_on_with_other_ranks(piece: dict[str, Path], tmp_path: Path) -> None:
    """Killed as a whole after some checkpoints, a run goes on with another number of ranks and writes the same files."""
    words = [str(piece["reads.fq"]), "-k", "45", "--chunk", "1 KiB"]
    kept = ["--checkpoint", str(tmp_path / "kept"), "--checkpoint-every", "0s"]
    run = kmers([*words, "--out", str(tmp_path / "whole")], None)
    assert run.returncode == 0, run.stderr
    command = [str(MPIRUN), "-n", "2", *PROGRAM, *words, *kept, "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True, stdout=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while process.poll() is None and len(list(tmp_path.glob("kept/journal/*.json"))) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert process.poll() is None, "the run is over before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "out" / "summary.json").exists()
    run = kmers([*words, *kept, "--out", str(tmp_path / "out")], 3)
    assert run.returncode == 0, run.stderr
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_whole_genome_has_its_known_numbers(tmp_path: Path) -> None:
    """E. coli 536 on 2 ranks at k = 31 gives the numbers and the histogram that other programs give.

    Jellyfish 2.3.0 (`count -C -m 31`, `stats`, `histo`: the same bytes) and KMC 3.2.1 (`-k31 -ci1 -cs1000000000`, sorted
    `kmc_dump`: the same lines), both as in Debian 12.
    """
    out = tmp_path / "out"
    run = kmers([str(GENOME.relative_to(ROOT)), "-k", "31", "--tsv", "--out", str(out)], 2)
    assert run.returncode == 0, run.stderr
    assert json.loads((out / "summary.json").read_text()) == {
        "k": 31,
        "min": 1,
        "inputs": [{"path": "examples/genomics/data/NC_008253.fna.gz", "bytes": 1_476_523}],
        "sequences": 1,
        "bases": 4_938_920,
        "invalid": 0,
        "gc": 0.505175,
        "total": 4_938_890,
        "distinct": 4_848_261,
        "kept": 4_848_261,
        "peak": 1,
        "genome_size": 4_938_890,
    }
    known = {
        "histogram.tsv": "5d0263952240cae85775ca187122a0123af343034c6252a7d15c38578eaea7d0",
        "dump.tsv": "9c72dacba6a43cbbe6b129165c1d1066d5463f7cc28b96febd620c2505d7098a",
    }
    dump = sorted((out / "dump.tsv").read_bytes().splitlines(keepends=True))
    texts = {"histogram.tsv": (out / "histogram.tsv").read_bytes(), "dump.tsv": b"".join(dump)}
    assert {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()} == known
    table = CountTable.open(out)
    assert len(table) == 4_848_261
    assert table.counts([line.split(b"\t")[0].decode() for line in dump[::500_000]]).tolist() == [
        int(line.split(b"\t")[1]) for line in dump[::500_000]
    ]


def test_wrong_arguments_end_with_2_and_are_told_once() -> None:
    """Under mpirun wrong arguments end with 2, and the problems are printed by one rank only."""
    run = kmers(["no.fa", "-k", "0"], 3)
    assert run.returncode == 2
    assert run.stderr.count("kmers: INPUT: no.fa does not exist\n") == 1
    assert run.stderr.count("kmers: -k: is '0', but must be a whole number from 1 to 61\n") == 1


def test_malformed_share_of_one_rank_ends_all_ranks(tmp_path: Path, piece: dict[str, Path]) -> None:
    """Ranks that wait for the one whose share is malformed do not hang: mpirun ends with 65 and the place is named."""
    path = tmp_path / "bad.fq"
    path.write_text(piece["reads.fq"].read_text() + "@last\nACGT\n+\nIII\n")
    run = kmers([str(path), "--out", str(tmp_path / "out")], 3)
    assert run.returncode == 65
    records = piece["reads.fq"].read_text().count("\n") // 4
    place = f"record {records + 1}, line {4 * records + 4}"
    assert run.stderr.count(f"kmers: {path}: {place}: the quality has 3 characters, its read has 4\n") == 1
    assert not (tmp_path / "out" / "summary.json").exists()


def test_progress_of_the_whole_job_reaches_its_total(tmp_path: Path, piece: dict[str, Path]) -> None:
    """Under the agent rank 0 alone reports, for all ranks, and ends at all bytes of the input."""
    path = piece["reads.fq.gz"]
    run = kmers([str(path), "--out", str(tmp_path / "out")], 2, **{AGENT_SOCKET: "/nowhere", NODE_INDEX: "1"})
    assert run.returncode == 0, run.stderr
    events = [fields for line in run.stdout.splitlines() if (fields := parse_event_line(line))]
    size = str(path.stat().st_size)
    expected = {"node": "1", "event": "progress", "rank": "0", "done": size, "total": size, "unit": "bytes"}
    assert {name: events[-1][name] for name in expected} == expected
