"""What principal components and the mixed model cost on many ranks: ``python -m examples.genomics.gwas.model`` prints the table.

Each pass over the genotypes ends in one sum over the ranks of people x columns doubles; nothing else of size is sent. A pass takes
the genotypes of a rank times (decoding + columns x two products), then the sum: within a node through memory, among nodes as a
ring, 2 (nodes - 1) / nodes of the bytes through each node's network. The two do not overlap. What is done to vectors alone is dealt
out for components, whose blocks are then gathered before each pass; in the mixed model each rank does it all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Assumptions about nodes; defaults are of 96 cores with 100 Gbps, and rates of one core as measured on a Zen 4.

    Attributes:
        ranks: of a node, one per core.
        gbps, efficiency: of a node's network, and the share of it that a sum of this size gets.
        latency: seconds of one message between nodes.
        memory: bytes per second that a node's ranks sum at together.
        decode, column: ns for a genotype in a pass: whatever the columns, and for each.
    """

    ranks: int = 96
    gbps: float = 100.0
    efficiency: float = 0.7
    latency: float = 20e-6
    memory: float = 100e9
    decode: float = 0.5
    column: float = 0.052


@dataclass(frozen=True, slots=True)
class Work:
    """Passes over the genotypes.

    Attributes:
        name: of the work.
        columns: of each pass.
        vector: ns for a person and column of what each rank does to whole vectors in a pass, as measured.
        dealt_out: the same of what is dealt out to the ranks; 0 if all have whole vectors only.
    """

    name: str
    columns: list[int]
    vector: float
    dealt_out: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of all passes: of products, of vectors, of sums over ranks; and bytes that a rank gives to these."""

    products: float
    vectors: float
    sums: float
    bytes: int

    @property
    def total(self) -> float:
        """Seconds of everything but reading the files."""
        return self.products + self.vectors + self.sums

    @property
    def efficiency(self) -> float:
        """Share of the time that would be left with this many ranks if sums and vectors took none."""
        return self.products / self.total


def summed_bytes(people: int, columns: list[int], *, gathered: bool = False) -> int:
    """What a rank gives to the sums of passes with these numbers of columns, and to gather float32 vectors that are dealt out."""
    return (12 if gathered else 8) * people * sum(columns)


def cost(machine: Machine, ranks: int, people: int, variants: int, work: Work) -> Cost:
    """Of some work on people x variants."""
    columns = work.columns
    nodes = -(-ranks // machine.ranks)
    share = people * variants / ranks
    products = share * sum(machine.decode + machine.column * each for each in columns) * 1e-9
    sent = summed_bytes(people, columns, gathered=work.dealt_out > 0)
    within = min(ranks, machine.ranks) * sent / machine.memory if ranks > 1 else 0.0
    wire = 2 * (nodes - 1) / nodes * sent / (machine.gbps * 1e9 / 8 * machine.efficiency)
    steps = 2 * math.ceil(math.log2(nodes)) * machine.latency * len(columns) if nodes > 1 else 0.0
    vectors = people * sum(columns) * (work.vector + work.dealt_out / ranks) * 1e-9
    return Cost(products, vectors, within + wire + steps, sent)


def pca_columns(passes: int = 8, columns: int = 16) -> list[int]:
    """Of the passes of ten principal components."""
    return [columns] * passes


def lmm_columns(variances: int = 13, systems: int = 15, signs: int = 15, chromosomes: int = 22, probes: int = 22) -> list[int]:
    """Of the passes of a mixed model of one trait: for variances, to make probes, and to solve, all columns to the end."""
    return [signs + 1] * variances + [probes] + [chromosomes + probes] * systems


PCA = Work("PCA", pca_columns(), 20.0, 230.0)
LMM = Work("LMM", lmm_columns(), 25.0, 0.0)


def main() -> None:
    """Print the table."""
    people, variants = 488_000, 600_000
    print(f"{people:,} people x {variants:,} variants; seconds without reading {people * variants / 4 / 1e9:.0f} GB")
    print("work   ranks  Gbps  products  vectors   sums   total  efficiency  GB summed by a rank")
    for work in (PCA, LMM):
        for ranks, gbps in ((1, 100.0), (96, 100.0), (1000, 100.0), (1000, 300.0)):
            found = cost(Machine(gbps=gbps), ranks, people, variants, work)
            seconds = f"{found.products:9.1f} {found.vectors:8.1f} {found.sums:6.1f} {found.total:7.1f}"
            print(f"{work.name}  {ranks:7,}  {gbps:4.0f} {seconds}  {found.efficiency:9.0%}  {found.bytes / 1e9:19.1f}")


if __name__ == "__main__":
    main()
