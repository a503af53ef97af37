"""The analyses of a run, one after the other: each writes its files, all ranks at once, and says what is to be told of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas import grm, lmm, pca, plots, reports, scores
from examples.genomics.gwas.arguments import Arguments
from examples.genomics.gwas.association import Saving, Scan, associate
from examples.genomics.gwas.design import Design, Trait
from examples.genomics.gwas.frequencies import frequencies
from examples.genomics.gwas.linear import LinearScan
from examples.genomics.gwas.logistic import LogisticScan
from examples.genomics.gwas.score_table import ScoreTable
from examples.genomics.gwas.study import FILE_NAME, Study
from examples.genomics.gwas.tables import Column
from examples.genomics.gwas.tails import inflation
from examples.workload.communicator import Communicator
from examples.workload.results import Place, write_in_rank_order

Reals = npt.NDArray[np.float64]
RUN = "run.json"
OF_A_TRAIT = re.compile(rf"{FILE_NAME}\.(glm\.linear|glm\.logistic\.hybrid|lmm\.tsv|(glm|lmm)\.manhattan\.svg)")


@dataclass
class Session:
    """What all analyses share.

    Attributes:
        comm: the ranks.
        arguments: what was asked for.
        study: what is studied.
        place: where results go.
        figures: what is told in ``run.json``, the same on all ranks.
        files: written so far.
    """

    comm: Communicator
    arguments: Arguments
    study: Study
    place: Place
    figures: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        """A file that rank 0 writes."""
        self.files.append(name)
        if self.comm.rank == 0:
            self.place.partial(name).write_text(text, encoding="utf-8")

    def write_lines(self, name: str, header: str, lines: Iterable[str]) -> None:
        """A file of a header and every rank's lines, in the order of ranks."""
        self.files.append(name)
        text = "".join(lines).encode()
        write_in_rank_order(self.comm, self.place.partial(name), header.encode(), len(text), [text])

    def of_all(self, own: Reals) -> Reals:
        """Every rank's numbers, in the order of ranks, on all ranks."""
        return np.concatenate(self.comm.allgather(own))


def names_of_files(traits: Sequence[Trait], out: Path) -> list[str]:
    """All files that a run may write, and those of other traits that an earlier run wrote to ``out``; ``run.json`` last."""
    endings = ("afreq", "vmiss", "smiss", "hardy", "eigenvec", "eigenval", "sscore")
    relationships = ("rel.bin", "rel.id", "grm.bin", "grm.N.bin", "grm.id")
    names = [f"gwas.{ending}" for ending in (*endings, *relationships)]
    names += [f"{trait.name}.{ending}" for trait in traits for ending in ("glm.linear", "glm.logistic.hybrid", "lmm.tsv")]
    for trait in traits:
        names += [f"{trait.name}.{analysis}.manhattan.svg" for analysis in ("glm", "lmm")]
    names += ["glm.qq.svg", "lmm.qq.svg", "pca.svg", RUN]
    return [*sorted(_of_an_earlier_run(out).difference(names)), *names]


def _of_an_earlier_run(out: Path) -> set[str]:
    """The tables and charts of traits that the ``run.json`` there lists."""
    try:
        told = json.loads((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or somebody else's
        return set()
    files = told.get("files") if isinstance(told, dict) else None
    return {name for name in files if isinstance(name, str) and OF_A_TRAIT.fullmatch(name)} if isinstance(files, list) else set()


def run_analyses(session: Session) -> None:
    """Everything that was asked for; collective."""
    asked = session.arguments.analyses
    if asked & {"freq", "missing", "hardy"}:
        _quality(session)
    components = _components(session) if "pca" in asked else {}
    if "grm" in asked:
        _relationships(session)
    if session.study.weights:
        _scores(session, session.study.weights)
    if asked & {"glm", "lmm"}:
        _, designs = session.study.models(components)
        if "glm" in asked:
            _regressions(session, designs)
        if "lmm" in asked:
            _mixed_models(session, designs)


def _quality(session: Session) -> None:
    asked, variants = session.arguments.analyses, session.study.fileset.variants
    counted = frequencies(session.comm, session.study.fileset)
    afreq, vmiss = reports.frequency_lines(variants, counted)
    if "freq" in asked:
        session.write_lines("gwas.afreq", reports.AFREQ, afreq)
    if "missing" in asked:
        session.write_lines("gwas.vmiss", reports.VMISS, vmiss)
        phenotypes = session.study.phenotypes
        columns = phenotypes.columns if phenotypes else {}
        table = reports.smiss(session.study.fileset.samples, counted.missing_of_people, int(variants.diploid.sum()), columns)
        session.write("gwas.smiss", table)
        calls = int(variants.diploid.sum()) * len(session.study.fileset.samples)
        session.figures["missing calls"] = int(counted.missing_of_people.sum()) / max(1, calls)
    if "hardy" in asked:
        session.write_lines("gwas.hardy", reports.HARDY, reports.hardy_lines(variants, counted))


def _components(session: Session) -> dict[str, Column]:
    """Principal components; those that are covariates, by name."""
    plan = pca.Plan(components=session.arguments.components)
    least = max(1, session.arguments.pcs)
    found = pca.run(session.comm, session.study.fileset, plan, session.arguments.checkpoint, least=least)
    session.write("gwas.eigenvec", pca.eigenvec(session.study.fileset.samples, found))
    session.write("gwas.eigenval", pca.eigenval(found))
    session.write("pca.svg", plots.components(found.vectors, found.values))
    session.figures["principal components"] = {
        "eigenvalues": [float(f"{value:.6g}") for value in found.values],
        "residuals": [float(f"{value:.1e}") for value in found.residuals],
        "not converged": found.not_converged,
        "variants": found.variants,
        "passes": found.passes,
    }
    return {f"PC{number + 1}": found.vectors[:, number] for number in range(session.arguments.pcs)}


def _relationships(session: Session) -> None:
    found = grm.run(session.comm, session.study.fileset, grm.Plan(), session.arguments.checkpoint)
    samples = session.study.fileset.samples
    if session.arguments.grm == "gcta":
        session.files += ["gwas.grm.bin", "gwas.grm.N.bin"]
        grm.write_triangle(session.comm, session.place.partial("gwas.grm.bin"), found)
        if session.comm.rank == 0:
            grm.write_counts(session.place.partial("gwas.grm.N.bin"), found)
        session.write("gwas.grm.id", grm.ids(samples, header=False))
    else:
        session.files.append("gwas.rel.bin")
        grm.write_square(session.comm, session.place.partial("gwas.rel.bin"), found)
        session.write("gwas.rel.id", grm.ids(samples, header=True))
    session.figures["relationships"] = {"variants": found.variants}


def _scores(session: Session, weights: ScoreTable) -> None:
    found = scores.score(session.comm, session.study.fileset, weights)
    session.write("gwas.sscore", scores.sscore(session.study.fileset.samples, found))
    session.figures["scores"] = {
        "names": found.names,
        "variants": found.variants,
        "lines left out": weights.left_out,
        "lines of ambiguous strand": weights.ambiguous,
    }


def _scans(design: Design, width: int) -> list[Scan]:
    kinds = {trait.binary for trait in design.traits}
    return ([LinearScan(design, width)] if False in kinds else []) + ([LogisticScan(design, width)] if True in kinds else [])


def _regressions(session: Session, designs: Sequence[Design]) -> None:
    fileset, plan = session.study.fileset, session.arguments.checkpoint
    scans = [(scan, design) for design in designs for scan in _scans(design, fileset.width)]
    models = hashlib.sha256("".join(design.digest() for design in designs).encode()).hexdigest()
    inputs = session.study.inputs() | {
        "traits": " ".join(trait.name for scan, _ in scans for trait in scan.traits),
        "models": models,
    }
    saving = Saving(plan if plan.where is None else replace(plan, where=f"{plan.where.rstrip('/')}/glm-{models[:8]}"), inputs)
    found = associate(session.comm, fileset, [scan for scan, _ in scans], saving)
    covariates = [design.basis.shape[1] for scan, design in scans for _ in scan.traits]
    shown = fileset.variants.diploid[found.first : found.last]
    logs: dict[str, Reals] = {}
    for at, (trait, number) in enumerate(zip(found.traits, covariates, strict=True)):
        own = np.where(shown, reports.log_p(found, at, number), np.nan)
        ending, header = ("logistic.hybrid", reports.LOGISTIC) if trait.binary else ("linear", reports.LINEAR)
        lines = reports.association_lines(fileset.variants, found, at, own, shown)
        session.write_lines(f"{trait.name}.glm.{ending}", header, lines)
        logs[trait.name] = session.of_all(own)
        codes = _summed(session.comm, reports.tell_codes(found.estimates[at]))
        session.figures.setdefault("glm", {})[trait.name] = _facts(session, trait, logs[trait.name]) | {"errors": codes}
    _charts(session, "glm", logs)


def _mixed_models(session: Session, designs: Sequence[Design]) -> None:
    fileset, arguments = session.study.fileset, session.arguments
    logs: dict[str, Reals] = {}
    for design in designs:
        results = lmm.run(session.comm, fileset, design, lmm.Plan(delta=arguments.lmm_delta), arguments.checkpoint)
        for trait, found in zip(design.traits, results, strict=True):
            lines = (each.decode() for each in lmm.lines(fileset, design, found))
            session.write_lines(f"{trait.name}.lmm.tsv", lmm.HEADER, lines)
            logs[trait.name] = np.full(len(fileset.variants), np.nan)
            for indices, values in session.comm.allgather((found.indices, found.log_p)):
                logs[trait.name][indices] = values
            session.figures.setdefault("lmm", {})[trait.name] = _facts(session, trait, logs[trait.name]) | found.facts()
    _charts(session, "lmm", logs)


def _facts(session: Session, trait: Trait, logs: Reals) -> dict[str, Any]:
    """What is told of a trait's results."""
    tested, variants = ~np.isnan(logs), session.study.fileset.variants
    best = int(np.nanargmin(logs)) if tested.any() else None
    return {
        "people": int(trait.included.sum()),
        "cases": int(trait.values.sum()) if trait.binary else None,
        "tested": int(tested.sum()),
        "lambda": float(f"{inflation(logs):.6g}") if best is not None else None,
        "below 5e-8": int((logs[tested] < np.log(plots.GENOME_WIDE)).sum()),
        "smallest P": None if best is None else {"id": variants.id[best], "P": reports.p_text(float(logs[best]))},
    }


def _charts(session: Session, analysis: str, logs: dict[str, Reals]) -> None:
    if session.comm.rank == 0:  # drawn by one rank, named by all
        charts = {trait: plots.manhattan(session.study.fileset.variants, values, trait) for trait, values in logs.items()}
        together = plots.qq(logs)
    else:
        charts, together = dict.fromkeys(logs, ""), ""
    for trait, chart in charts.items():
        session.write(f"{trait}.{analysis}.manhattan.svg", chart)
    session.write(f"{analysis}.qq.svg", together)


def _summed(comm: Communicator, own: dict[str, int]) -> dict[str, int]:
    """Counts of all ranks by name."""
    total: dict[str, int] = {}
    for counts in comm.allgather(own):
        for name, number in counts.items():
            total[name] = total.get(name, 0) + number
    return dict(sorted(total.items()))
