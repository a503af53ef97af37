"""Principal components: eigenvectors of the relationship matrix K = X X' / variants, found without forming it.

Block Lanczos: each pass over the genotypes multiplies K with a block of vectors, what is new in the product joins an orthonormal
basis, and the eigenvectors of K within the basis (Rayleigh-Ritz) approximate those of K. How far each is off is known: the residual
|K v - value v| / value. Equal to ``plink2 --pca meanimpute`` where the residual is small; components that stand out little from the
bulk of the eigenvalues need many passes in any method. Musco & Musco, 2015 (arXiv:1504.05477); Galinsky et al., 2016 (FastPCA).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from batchhpc.rank import Progress
from examples.genomics.gwas.bed import Fileset, Samples
from examples.genomics.gwas.rows import Rows
from examples.genomics.gwas.standardized import Matrix, Rounded, Standardized
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from examples.workload.errors import Malformed
from examples.workload.restart import Restart

_KEPT = "2"  # version of what a checkpoint holds


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        components: how many; there are no more than samples, nor than variants of two alleles.
        tolerance: largest residual of a component that has converged.
        passes: most passes over the genotypes.
        seed: of the first block.
    """

    components: int = 10
    tolerance: float = 1e-6
    passes: int = 20
    seed: int = 1

    @property
    def columns(self) -> int:
        """Of a block of vectors: more than components, or the last ones need many passes; 16 of float32 are a step of BLAS."""
        return -(-(self.components + 6) // 16) * 16


@dataclass(frozen=True, slots=True)
class Components:
    """The leading eigenvectors of K, largest value first.

    Attributes:
        values: (components,).
        vectors: (samples, components), each of length 1; its largest entry in absolute value is positive.
        residuals: (components,), |K v - value v| / value.
        tolerance: of the residuals.
        passes: over the genotypes.
        variants: that K is made from: all but those of X, Y, MT; as in plink2, those of one allele count, with a product of 0.
    """

    values: Matrix
    vectors: Matrix
    residuals: Matrix
    tolerance: float
    passes: int
    variants: int

    @property
    def not_converged(self) -> list[int]:
        """Numbers of components whose residual is above the tolerance; the first is 1."""
        return (np.flatnonzero(self.residuals > self.tolerance) + 1).tolist()


def check(fileset: Fileset, least: int) -> None:
    """See whether there can be so many components, as far as that is known before any genotype is read.

    Raises:
        Malformed: there cannot.
    """
    people, variants = len(fileset.samples), int(fileset.variants.diploid.sum())
    if people < max(least, 2):
        had = "1 person" if people == 1 else f"{people:,} people"
        wanted = f"the {least} components that are to be covariates" if least > 1 else "principal components"
        raise Malformed(f"{fileset.prefix}.fam", f"has {had}, too few for {wanted}")
    if variants < max(least, 1):
        wanted = f"{least} components are to be covariates" if least > 1 else "components are made from such alone"
        had = "1 variant that is" if variants == 1 else f"{variants:,} variants that are"
        raise Malformed(f"{fileset.prefix}.bim", f"has {had} not on X, Y, MT, but {wanted}")


def run(comm: Communicator, fileset: Fileset, plan: Plan, checkpoint: CheckpointPlan, *, least: int = 1) -> Components:
    """Principal components of all samples from all variants but those of X, Y, MT; collective, the same on all ranks.

    Frequencies are those of the founders, as in plink2, if there are any.

    Args:
        comm: the ranks.
        fileset: the genotypes.
        plan: what is asked for.
        checkpoint: where and how often to save.
        least: fewest components that will do, those that are covariates.

    Raises:
        Malformed: there are not so many.
    """
    check(fileset, least)
    founders = fileset.samples.founder
    everybody, chosen = np.ones_like(founders), fileset.variants.diploid
    genotypes = Standardized(comm, fileset, chosen, everybody, frequencies_of=founders if founders.any() else everybody)
    if not genotypes.varies:
        genotypes.refuse(
            f"the {genotypes.people:,} people differ in none of the {chosen.sum():,} variants that are not on X, Y, MT,"
            " so there are no principal components"
        )
    if genotypes.variants < least:
        had = "1 variant" if genotypes.variants == 1 else f"{genotypes.variants:,} variants"
        genotypes.refuse(f"has {had} of two alleles, but {least} components are to be covariates")
    inputs = {**fileset.versions, **{name: repr(value) for name, value in asdict(plan).items()}}
    possible = replace(plan, components=min(plan.components, genotypes.people, genotypes.variants))  # as in plink2
    with (
        Restart(comm, checkpoint, "pca", inputs, _KEPT) as restart,
        Progress(0, "variants of PCA", comm) as progress,
    ):
        size = len(founders), int(chosen.sum())
        return leading(comm, lambda vectors: genotypes.relate(vectors, advance=progress.advance), size, possible, restart)


def leading(
    comm: Communicator, relate: Callable[[Rounded], Matrix], size: tuple[int, int], plan: Plan, restart: Restart
) -> Components:
    """Eigenvectors by block Lanczos.

    Args:
        comm: the ranks.
        relate: X X' V.
        size: people and variants of X.
        plan: what is asked for.
        restart: keeps the basis after each pass.
    """
    people, variants = size
    wanted = min(plan.components, people)
    columns = min(max(plan.columns, wanted), people)
    rows = Rows(comm, people)
    if found := restart.load({"basis": rows.bounds, "products": rows.bounds}):
        basis, products, passes = found.arrays["basis"], found.arrays["products"], found.step
    else:
        first = np.random.default_rng(plan.seed).standard_normal((people, columns))
        basis, passes = rows.orthonormal(rows.own(first)[:, :0], rows.own(first), columns), 0
        products = basis[:, :0]
    projected = np.empty((0, 0))
    while True:
        if products.shape[1] < basis.shape[1]:
            block = rows.whole(basis[:, products.shape[1] :].astype(np.float32))  # the products are float32
            products, passes = np.concatenate([products, rows.own(relate(block)) / max(variants, 1)], axis=1), passes + 1
            restart.offer(passes, arrays={"basis": basis, "products": products})
        while len(projected) < basis.shape[1]:  # a block after the other, after a restart too
            some = slice(len(projected), min(len(projected) + columns, basis.shape[1]))
            beside = rows.inner(basis[:, : some.stop], products[:, some])
            projected = np.block([[projected, beside[: some.start]], [beside[: some.start].T, beside[some.start :]]])
        values, rotation = np.linalg.eigh((projected + projected.T) / 2)
        values, rotation = values[::-1][:wanted], rotation[:, ::-1][:, :wanted]
        vectors = rows.times(basis, rotation)
        residuals = rows.lengths(rows.times(products, rotation) - vectors * values) / np.maximum(values, np.finfo(float).tiny)
        room = min(columns, people - basis.shape[1])
        done = passes >= plan.passes or room <= 0 or bool(residuals.max() <= plan.tolerance)
        if comm.bcast(done):  # one rank says so: processors of another kind may differ in the last bit
            return Components(values, _signed(rows.whole(vectors)), residuals, plan.tolerance, passes, variants)
        basis = np.concatenate([basis, rows.orthonormal(basis, products[:, -columns:], room)], axis=1)


def _signed(vectors: Matrix) -> Matrix:
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return vectors * np.where(largest < 0, -1.0, 1.0)


def eigenvec(samples: Samples, components: Components) -> str:
    """As plink2 writes ``.eigenvec``."""
    head = ["#FID", "IID", *(f"PC{number}" for number in range(1, len(components.values) + 1))]
    people = zip(samples.fid, samples.iid, components.vectors.tolist(), strict=True)
    rows = ("\t".join([fid, iid, *map("%.6g".__mod__, row)]) for fid, iid, row in people)
    return "\n".join(["\t".join(head), *rows]) + "\n"


def eigenval(components: Components) -> str:
    """As plink2 writes ``.eigenval``."""
    return "".join(f"{value:.6g}\n" for value in components.values.tolist())
