"""Whether every (k-mer, count) pair of `examples.genomics.kmers` is that of KMC 3 and Jellyfish 2.

    python -m benchmarks.kmers_equality [FASTQ ...]

Simulated reads of *E. coli* (30x) and hard ones (see `simulated_reads`), the genome as FASTA, gzip and BGZF, and any further
files that are named; on 1 to 3 ranks, and killed and gone on with on other numbers of ranks. Needs Debian's packages kmc,
jellyfish and tabix (for bgzip). Takes about ten minutes and 6 GB of disk.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import simulated_reads
from benchmarks.measure import scratch
from examples.genomics.kmers.count import order_of
from examples.genomics.kmers.table import CountTable
from examples.genomics.kmers.words import LETTERS, words_of

LONGEST_JELLYFISH = 31  # our other k are compared with KMC only
_CODES = np.zeros(256, np.uint64)
_CODES[LETTERS] = np.arange(4)
_RUN_TIMEOUT = 600.0

Pairs = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]


def ours(inputs: Sequence[Path], k: int, ranks: int, out: Path, *words: str) -> Pairs:
    """Counted by this project."""
    _run([*_program(ranks), *map(str, inputs), "-k", str(k), "--out", str(out), *words])
    return _table(out)


def killed(path: Path, k: int, out: Path) -> Iterator[tuple[str, Pairs]]:
    """The same, killed some seconds after it began, and gone on with by another number of ranks, several times."""
    words = [str(path), "-k", str(k), "--out", str(out), "--checkpoint", str(out / "kept"), "--checkpoint-every", "0.2s"]
    for ranks, seconds in ((2, 1.5), (1, 2.0), (3, 2.5)):
        with subprocess.Popen([*_program(ranks), *words], start_new_session=True, stdout=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)
    _run([*_program(2), *words])
    yield "killed on 2, 1 and 3 ranks", _table(out)


def kmc(path: Path, k: int, folder: Path) -> Pairs:
    """Counted by KMC."""
    kind = "-fm" if path.suffix == ".fa" else "-fq"
    _run(["kmc", f"-k{k}", "-m2", "-t1", "-ci1", "-cs1000000000", kind, str(path), str(folder / "db"), str(folder)])
    _run(["kmc_tools", "-t1", "transform", str(folder / "db"), "dump", str(folder / "dump")])
    return _pairs(folder / "dump", k)


def jellyfish(path: Path, k: int, folder: Path) -> Pairs:
    """Counted by Jellyfish."""
    _run(["jellyfish", "count", "-C", "-m", str(k), "-s", "32M", "-t", "1", "-o", str(folder / "jf"), str(path)])
    _run(["jellyfish", "dump", "-c", "-o", str(folder / "dump"), str(folder / "jf")])
    return _pairs(folder / "dump", k)


def _program(ranks: int) -> list[str]:
    program = [sys.executable, "-m", "examples.genomics.kmers"]
    return [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks), *program] if ranks > 1 else program


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_RUN_TIMEOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _table(out: Path) -> Pairs:
    index = CountTable.open(out).index
    kmers, counts = (
        np.concatenate([np.load(out / f"table/{kind}-{part:02}.npy") for part in range(index.parts)])
        for kind in ("kmers", "counts")
    )
    return _in_order(kmers, counts.astype(np.int64), index.k)


def _pairs(dump: Path, k: int) -> Pairs:
    """What stands in a dump: a line for each k-mer, with one separator and the count."""
    kmers, counts = [], []
    with dump.open("rb") as file:
        while lines := file.readlines(1 << 26):
            text = np.frombuffer(b"".join(lines), np.uint8)
            starts = np.concatenate(([0], np.flatnonzero(text == ord("\n"))[:-1] + 1))
            words = np.zeros((words_of(k), len(starts)), np.uint64)
            for at in range(k):
                word = words[0 if at < k - 32 else -1]
                word <<= np.uint64(2)
                word |= _CODES[text[starts + at]]
            kmers.append(words[0] if len(words) == 1 else words.T)
            counts += [int(line[k + 1 :]) for line in lines]
    return _in_order(np.concatenate(kmers), np.array(counts, np.int64), k)


def _in_order(kmers: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64], k: int) -> Pairs:
    order = np.argsort(kmers) if kmers.ndim == 1 else order_of(np.ascontiguousarray(kmers.T), k)
    return kmers[order], counts[order]


def compare(name: str, k: int, found: Pairs, expected: Pairs) -> bool:
    """Prints whether they are the same."""
    same = all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    print(f"{'equal' if same else 'NOT EQUAL'}: {name}, k = {k}: {len(found[1]):,} pairs, {found[1].sum():,} k-mers", flush=True)
    return same


def check(path: Path, lengths: Sequence[int], folder: Path) -> Iterator[bool]:
    """One file at several k, with both peers."""
    for number, k in enumerate(lengths):
        found = ours([path], k, number % 3 + 1, folder / "out")
        for peer in (kmc, jellyfish) if k <= LONGEST_JELLYFISH else (kmc,):
            yield compare(f"{path.name} on {number % 3 + 1} ranks, {peer.__name__}", k, found, peer(path, k, folder))


def check_packings(folder: Path) -> Iterator[bool]:
    """The genome as FASTA, and reads; plain, gzip and BGZF, alone and several at once."""
    genome, reads = folder / "genome.fa", simulated_reads.ecoli(folder, 2)
    genome.write_bytes(gzip.decompress(simulated_reads.GENOME.read_bytes()))
    for path in (genome, reads):
        expected = kmc(path, 31, folder)
        zipped, blocks = path.with_suffix(".gz"), path.with_suffix(".bgz")
        zipped.write_bytes(gzip.compress(path.read_bytes(), 1))
        blocks.write_bytes(subprocess.run(["bgzip", "-c", path], capture_output=True, check=True).stdout)
        for ranks, packed in ((1, path), (2, zipped), (2, blocks), (3, blocks)):
            yield compare(f"{packed.name} on {ranks} ranks, kmc", 31, ours([packed], 31, ranks, folder / "out"), expected)
        both = ours([zipped, path], 31, 3, folder / "out")
        yield compare(f"{zipped.name} and {path.name} together, twice kmc", 31, both, (expected[0], 2 * expected[1]))


def main() -> int:
    """The exit code: 1 if anything differs."""
    if missing := [name for name in ("kmc", "kmc_tools", "jellyfish", "bgzip") if not shutil.which(name)]:
        print(f"benchmarks.kmers_equality needs {', '.join(missing)}: apt-get install kmc jellyfish tabix", file=sys.stderr)
        return 1
    with scratch() as folder:
        reads, hard = simulated_reads.ecoli(folder), simulated_reads.adversarial(folder)
        results = [*check(hard, (15, 17, 21, 25, 28, 30, 31, 33, 45, 61), folder)]
        for name in sys.argv[1:]:
            results += check(Path(name), (15, 21, 31, 33, 45, 61), folder)
        results += check_packings(folder)
        results += check(reads, (15, 21, 31, 33, 45, 61), folder)
        expected = kmc(reads, 31, folder)
        shutil.rmtree(folder / "out")
        results += [compare(f"{reads.name} {how}", 31, found, expected) for how, found in killed(reads, 31, folder / "out")]
    print(f"{sum(results)} of {len(results)} equal")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
