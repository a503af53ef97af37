"""Mixed model association, BOLT-LMM-inf: y = covariates + x beta + g + e, where g has all variants' small effects.

For each chromosome, V^-1 y is found with the genetic values g of all other chromosomes (leave one chromosome out), by conjugate
gradients for all chromosomes at once: each iteration is one pass over the genotypes and one sum over the ranks. The statistic of a
variant is (x' V^-1 y)^2 / c. The constant c is the mean over all variants of x' V^-1 x, times the variance: BOLT takes 30 variants
for it; here random combinations of all variants of a chromosome, w = sum of +-x, stand for them, since the mean of w' V^-1 w is
the same (Hutchinson) and varies less. Loh et al., 2015, doi:10.1038/ng.3190.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from batchhpc.rank import Progress
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.conjugate_gradients import Columns, Solutions
from examples.genomics.gwas.design import Design, Trait, UnfitModel
from examples.genomics.gwas.genotypes import count, mask
from examples.genomics.gwas.lanczos import Lanczos, Spectra
from examples.genomics.gwas.standardized import Block, Matrix, Standardized
from examples.genomics.gwas.tails import normal_log_p
from examples.genomics.gwas.variance import Heritability, estimate, given
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

_KEPT = "2"  # version of what a checkpoint holds
_LEAST = 10  # passes before variance components can be taken: the first see populations, not people
_SETTLED = 0.01  # of the standard error of h2: changes below that, twice, and they are taken


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        delta: noise per genetic variance; None: estimate it.
        signs: random vectors that give the trace.
        probes: random combinations of variants that give the calibration, at least; as many of each chromosome.
        tolerance: of the residuals of V^-1 y, as in BOLT; those of probes, whose error is the square, may be ten times larger.
        passes: most passes over the genotypes of each of both phases.
        seed: of all random signs.
        precision: of the products over people: float32 or float64.
    """

    delta: float | None = None
    signs: int = 15
    probes: int = 20
    tolerance: float = 5e-4
    passes: int = 100
    seed: int = 1
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class Associations:
    """One trait's results for this rank's variants, autosomal and not collinear with the covariates.

    Attributes:
        trait: its name.
        indices: of the variants, as places in the ``.bim``.
        beta, se: per A1 allele, in the trait's units.
        chi2: of one degree of freedom.
        heritability: of the trait.
        calibration: c, the constant, and its standard deviation by the choice of signs.
        passes: over the genotypes, of both phases.
        converged: whether all systems are solved as well as was asked for.
    """

    trait: str
    indices: Columns
    beta: Matrix
    se: Matrix
    chi2: Matrix
    heritability: Heritability
    calibration: tuple[float, float]
    passes: tuple[int, int]
    converged: bool

    @property
    def log_p(self) -> Matrix:
        """Natural logarithms of P values."""
        return normal_log_p(np.sqrt(self.chi2))

    def facts(self) -> dict[str, object]:
        """What is told of the model."""
        found = self.heritability
        errors = {"standard error of h2": found.standard_error, "error of h2 by random signs": found.monte_carlo}
        return {
            "h2": float(f"{found.h2:.6g}"),
            **({} if np.isnan(found.standard_error) else {name: float(f"{value:.3g}") for name, value in errors.items()}),
            "h2 is at the limit": found.at_limit,
            "delta": float(f"{found.delta:.6g}"),
            "calibration": float(f"{self.calibration[0]:.6g}"),
            "error of calibration": float(f"{self.calibration[1]:.3g}"),
            "passes": list(self.passes),
            "converged": self.converged,
        }


def autosomes(fileset: Fileset) -> list[str]:
    """Of which there are variants, in the order of the file.

    Raises:
        UnfitModel: there are not two of them.
    """
    variants = fileset.variants
    found = list(dict.fromkeys(name for name, used in zip(variants.chrom, variants.autosomal.tolist(), strict=True) if used))
    if len(found) < 2:
        raise UnfitModel(
            f"--lmm: has variants of {len(found)} autosome{'s' * (not found)}, but each is tested against what the others explain;"
            " give a fileset of two autosomes or more"
        )
    return found


def run(comm: Communicator, fileset: Fileset, design: Design, plan: Plan, checkpoint: CheckpointPlan) -> list[Associations]:
    """Associations of the design's traits, in their order, case/control as 0 and 1; collective.

    Raises:
        UnfitModel: there are not two chromosomes.
        Malformed: there are, but not two with a variant that people differ in.
    """
    chromosomes, autosomal = autosomes(fileset), fileset.variants.autosomal
    genotypes = Standardized(
        comm, fileset, autosomal, design.included, covariates=design.basis, precision=np.dtype(plan.precision).type
    )
    model = _Model(comm, genotypes, chromosomes, plan)
    if len(model.varying) < 2:
        which = f"only chromosome {model.varying[0]}" if model.varying else "none"
        genotypes.refuse(
            f"--lmm: of {len(chromosomes)} autosomes, {which} has variants in which the {genotypes.people:,} people differ beyond"
            " their covariates, but each is tested against what the others explain"
        )
    inputs = {**fileset.versions, **{name: repr(value) for name, value in asdict(plan).items()}}
    inputs["covariates"] = hashlib.sha256(design.basis.tobytes()).hexdigest()
    traits = [_Scaled.of(trait, genotypes) for trait in design.traits]
    inputs["traits"] = hashlib.sha256(b"".join(trait.values.tobytes() for trait in traits)).hexdigest()
    folder = "lmm-" + inputs["traits"][:8]
    with Restart(comm, checkpoint, f"{folder}/variance", inputs, _KEPT) as restart:
        estimates, passes = model.variances(traits, restart)
    results = []
    for number, (trait, heritability) in enumerate(zip(traits, estimates, strict=True)):
        with Restart(comm, checkpoint, f"{folder}/{number}", inputs, _KEPT) as restart:
            results.append(model.associate(trait, heritability, passes, restart))
    return results


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A trait off the covariates, of squared length N, and what it was divided by."""

    name: str
    values: Matrix
    unit: float

    @classmethod
    def of(cls, trait: Trait, genotypes: Standardized) -> _Scaled:
        values = genotypes.project(genotypes.project(trait.values[:, None]))[:, 0]
        unit = float(np.sqrt(values @ values / genotypes.freedom))
        return cls(trait.name, values / unit, unit)


class _Model:
    def __init__(self, comm: Communicator, genotypes: Standardized, chromosomes: list[str], plan: Plan) -> None:
        self._comm, self._genotypes, self._chromosomes, self._plan = comm, genotypes, chromosomes, plan
        self._variants = genotypes.variants_of(chromosomes)

    @property
    def varying(self) -> list[str]:
        """Chromosomes with variants that count."""
        return [name for name, number in self._variants.items() if number]

    def variances(self, traits: list[_Scaled], restart: Restart) -> tuple[list[Heritability], int]:
        """Variance components of all traits by one Lanczos run, until they no longer change; and its passes."""
        if self._plan.delta is not None:
            return [given(self._plan.delta) for _ in traits], 0
        genotypes, many = self._genotypes, len(traits)
        quiet = 0  # passes that changed nothing to speak of, one after the other
        if found := restart.load():
            run, quiet = Lanczos(*(found.shared[name] for name in ("before", "now", "diagonal", "beside"))), found.state["quiet"]
        else:
            rng = np.random.default_rng(self._plan.seed)
            signs = genotypes.project(rng.choice(np.array([-1.0, 1.0]), (genotypes.people, self._plan.signs)))
            run = Lanczos.start(np.column_stack([*(trait.values for trait in traits), signs]))
        estimates = self._comm.bcast(self._estimates(run.spectra(), many)) if len(run.diagonal) else []
        most = min(self._plan.passes, genotypes.freedom)
        with Progress(0, "variants of LMM variances", self._comm) as progress:
            while quiet < 2 and len(run.diagonal) < most:  # before a step: a run that is resumed may be at its end
                run.step(lambda vectors: genotypes.relate(vectors, advance=progress.advance) / genotypes.variants)
                before, steps = estimates, len(run.diagonal)
                # one rank's: processors of another kind may differ in the last bit
                estimates = self._comm.bcast(self._estimates(run.spectra(), many))
                quiet = quiet + 1 if steps > _LEAST and _alike(before, estimates) else 0
                state = {"before": run.before, "now": run.now, "diagonal": run.diagonal, "beside": run.beside}
                restart.offer(steps, shared=state, state={"quiet": quiet})
        return estimates, len(run.diagonal)

    def _estimates(self, spectra: Spectra, many: int) -> list[Heritability]:
        signs = spectra.of(list(range(many, len(spectra.nodes))))
        return [estimate(spectra.of([column]), signs, self._genotypes.freedom) for column in range(many)]

    def associate(self, trait: _Scaled, heritability: Heritability, passes: int, restart: Restart) -> Associations:
        """Solve V u = y and V u = w for all chromosomes, then test all variants.

        Systems that were begun go on with the variances that they were begun with: if those are found again, on processors of
        another kind, they may differ in the last bit, and then V would.
        """
        begun = restart.load()
        if begun:
            heritability, passes = Heritability(**begun.state["heritability"]), begun.state["passes"]
        genotypes, delta, many = self._genotypes, heritability.delta, len(self._chromosomes)
        probed = self._chromosomes * -(-self._plan.probes // many)
        probes = self._probes(probed)
        left_out = [*self._chromosomes, *probed]
        right = np.column_stack([np.repeat(trait.values[:, None], many, axis=1), probes])
        solutions = Solutions.start(right, np.repeat([self._plan.tolerance, 10 * self._plan.tolerance], [many, len(probed)]))
        if begun:
            solutions = Solutions(**begun.shared, goals=solutions.goals, iterations=begun.step)
        state = {"heritability": asdict(heritability), "passes": passes}
        self._solve(solutions, left_out, delta, lambda step, arrays: restart.offer(step, shared=arrays, state=state))
        of_trait, of_probes = solutions.found[:, :many], solutions.found[:, many:]
        weights = np.array([self._variants[name] for name in self._chromosomes]) / genotypes.variants
        variance = float(weights @ (trait.values @ of_trait)) / genotypes.freedom
        forms = np.einsum("pc,pc->c", probes, of_probes)
        share = np.array([self._variants[name] for name in probed], np.float64)
        share /= share.sum()
        denominator = float(share @ forms)
        spread = float(np.sqrt(share**2 @ np.square(forms - denominator)))
        score = genotypes.correlate(of_trait, self._chromosomes)
        used = genotypes.scale > 0
        chi2 = np.square(score) / (denominator * variance)
        per_allele = trait.unit * genotypes.scale / denominator
        return Associations(
            trait.name,
            genotypes.indices[used],
            (score * per_allele)[used],
            (np.sqrt(denominator * variance) * per_allele)[used],
            chi2[used],
            heritability,
            (denominator * variance, spread * variance),
            (passes, solutions.iterations),
            not len(solutions.open),
        )

    def _probes(self, chromosomes: list[str]) -> Matrix:
        """Random combinations of the variants of a chromosome, about as long as one variant."""
        names = np.array(chromosomes)

        def weights_of(block: Block) -> Matrix:
            own = np.flatnonzero(names == block.chromosome)
            rng = np.random.Generator(np.random.Philox(key=[self._plan.seed, block.first]))  # the same on whichever rank
            weights = np.zeros((block.last - block.first, len(names)))
            weights[:, own] = rng.integers(0, 2, (len(weights), len(own))) * 2.0 - 1.0
            return weights

        lengths = np.sqrt([max(self._variants[name], 1) for name in chromosomes])
        return self._genotypes.combine(weights_of, len(names)) / lengths

    def _solve(
        self, solutions: Solutions, left_out: list[str], delta: float, keep: Callable[[int, dict[str, Matrix]], None]
    ) -> None:
        names = np.array(left_out)
        with Progress(0, "variants of LMM residuals", self._comm) as progress:

            def product(directions: Matrix, columns: Columns) -> Matrix:
                related = self._genotypes.relate(directions, left_out=names[columns].tolist(), advance=progress.advance)
                return related / self._genotypes.variants + delta * directions

            while len(columns := self._comm.bcast(solutions.open)) and solutions.iterations < self._plan.passes:
                solutions.step(product, columns)
                arrays = {"found": solutions.found, "residuals": solutions.residuals, "directions": solutions.directions}
                keep(solutions.iterations, arrays)


def _alike(before: list[Heritability], now: list[Heritability]) -> bool:
    return all(abs(old.h2 - new.h2) < _SETTLED * new.standard_error for old, new in zip(before, now, strict=True))


HEADER = "SNP\tCHR\tBP\tGENPOS\tALLELE1\tALLELE0\tA1FREQ\tF_MISS\tBETA\tSE\tP_BOLT_LMM_INF\n"


def lines(fileset: Fileset, design: Design, results: Associations) -> Iterator[bytes]:
    """As BOLT-LMM writes them, for this rank's variants; some thousand at a time."""
    variants, people = fileset.variants, int(design.included.sum())
    excluded = mask(design.included, fileset.width)
    for first in range(0, len(results.indices), 1024):
        some = slice(first, first + 1024)
        places = results.indices[some]
        runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
        counts = [count(fileset.packed(int(run[0]), int(run[-1]) + 1) | excluded, people) for run in runs]
        a1, called, missing = (np.concatenate([getattr(each, name) for each in counts]) for name in ("a1", "called", "missing"))
        rows = zip(
            places.tolist(),
            (a1 / (2 * called)).tolist(),
            (missing / people).tolist(),
            results.beta[some].tolist(),
            results.se[some].tolist(),
            np.exp(results.log_p[some]).tolist(),
            strict=True,
        )
        yield "".join(
            f"{variants.id[at]}\t{variants.chrom[at]}\t{variants.pos[at]}\t{variants.cm[at]}\t{variants.a1[at]}\t{variants.a2[at]}"
            f"\t{frequency:.6g}\t{absent:.6g}\t{beta:.6g}\t{se:.6g}\t{p:.1E}\n"
            for at, frequency, absent, beta, se, p in rows
        ).encode()
