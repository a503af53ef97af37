"""Sequencing reads that anyone can make again: simulated with a seed, from the genome in ``examples/genomics/data`` or from none.

The model of a read: a start uniform over the genome, either strand with even chances, 150 bases, each base replaced by one of the
three others at the given rate; no insertions, deletions or gaps, and one quality for all. Real runs have errors that grow along the
read and prefer some neighbours; what that changes for counting is how many k-mers occur once.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bases = npt.NDArray[np.uint8]  # 0 to 3: A, C, G, T
GENOME = Path(__file__).parents[1] / "examples/genomics/data/NC_008253.fna.gz"
READ = 150
_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_BATCH = 100_000  # reads made at a time


def ecoli(folder: Path, depth: float = 30) -> Path:
    """E. coli 536, with one wrong base in 200: 30 times is 988,000 reads, 148 million bases."""
    path = folder / f"ecoli-{depth:g}x.fastq"
    if not path.exists():
        lines = gzip.decompress(GENOME.read_bytes()).splitlines()[1:]
        genome = np.searchsorted(_LETTERS, np.frombuffer(b"".join(lines), np.uint8)).astype(np.uint8)
        _write(path, genome, int(depth * len(genome) / READ), error=0.005, seed=11)
    return path


def repeats(folder: Path, bases: int = 50_000_000, depth: float = 10) -> Path:
    """A genome of which about half are copies of 35 repeat families, 2 to 20 % diverged, and tandem repeats of up to 5 bases."""
    path = folder / f"repeats-{bases}-{depth:g}x.fastq"
    if not path.exists():
        genome = _repetitive(bases, np.random.default_rng(4))
        _write(path, genome, int(depth * bases / READ), error=0.004, seed=3)
    return path


def adversarial(folder: Path) -> Path:
    """3,000 reads of 1 to 399 bases, lower case, IUPAC letters, gaps, qualities of '@'; tandem repeats and hairpins."""
    path = folder / "adversarial.fastq"
    if path.exists():
        return path
    random = np.random.default_rng(3)
    reads = []
    for number in range(3000):
        read = _LETTERS[random.integers(0, 4, random.integers(1, 400))]
        if number % 3 == 0:
            other = random.random(len(read)) < 0.03
            read = np.where(other, random.choice(np.frombuffer(b"NRYKM.-", np.uint8), len(read)), read)
        text = read.tobytes().decode()
        reads.append(text.lower() if number % 4 == 0 else text)
    for unit in ("A", "T", "AC", "ACG", "AT", "ACGT", "CCCCCCCCCA", "ATATATATATATATATATATATATATATATAT"):
        reads += [(unit * length)[start:length] for length in (20, 31, 32, 60, 200, 1000) for start in (0, 1)]
    reads += ["ACGTTGCA" * times for times in range(20, 40)]  # each its own reverse complement
    path.write_text("".join(f"@read {number}\n{read}\n+\n{'@' * len(read)}\n" for number, read in enumerate(reads)))
    return path


def _repetitive(bases: int, random: np.random.Generator) -> Bases:
    families = [random.integers(0, 4, length, np.uint8) for length in (*[300] * 5, *[1000] * 20, *[6000] * 10)]
    for family in families[:5]:
        family[-25:] = 0  # a tail of A, as short interspersed repeats have it
    parts: list[Bases] = []
    made = 0
    while made < bases:
        kind = random.random()
        if kind < 0.5:
            part = random.integers(0, 4, random.integers(500, 5000), np.uint8)
        elif kind < 0.97:
            part = families[random.integers(len(families))].copy()
            diverged = random.random(len(part)) < random.uniform(0.02, 0.2)
            part[diverged] = random.integers(0, 4, int(diverged.sum()), np.uint8)
            part = 3 - part[::-1] if random.random() < 0.5 else part
        else:
            part = np.tile(random.integers(0, 4, random.integers(1, 6), np.uint8), 200)[: random.integers(20, 200)]
        parts.append(part)
        made += len(part)
    return np.concatenate(parts)[:bases]


def _write(path: Path, genome: Bases, reads: int, *, error: float, seed: int) -> None:
    """FASTQ of so many reads; the file appears when it is whole."""
    random = np.random.default_rng(seed)
    windows = np.lib.stride_tricks.sliding_window_view(genome, READ)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for first in range(0, reads, _BATCH):
            many = min(_BATCH, reads - first)
            batch = windows[random.integers(0, len(windows), many)]
            turned = random.random(many) < 0.5
            batch[turned] = 3 - batch[turned, ::-1]
            wrong = np.flatnonzero(random.random(batch.size, np.float32) < error)
            flat = batch.reshape(-1)
            flat[wrong] = (flat[wrong] + random.integers(1, 4, len(wrong), np.uint8)) % 4
            file.write(_records(_LETTERS[batch], first))
    partial.replace(path)


def _records(text: Bases, first: int) -> bytes:
    """The records of reads that are all of one length; their names are numbers of nine digits."""
    record = np.empty((len(text), 1 + 9 + 1 + READ + 3 + READ + 1), np.uint8)
    numbers = np.arange(first, first + len(text))
    record[:, 0] = ord("@")
    record[:, 1:10] = numbers[:, None] // 10 ** np.arange(8, -1, -1) % 10 + ord("0")
    record[:, 11 : 11 + READ] = text
    record[:, 12 + READ] = ord("+")
    record[:, 14 + READ : -1] = ord("I")
    record[:, [10, 11 + READ, 13 + READ, -1]] = ord("\n")
    return record.tobytes()
