"""``python -m examples.genomics.gwas``: alone, or on every rank of an ``mpirun``.

Exit codes: 0 done; 1 failed; 2 the arguments are wrong; 65 an input file is malformed; 74 reading or writing failed;
130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.genomics.gwas.analyses import RUN, Session, names_of_files, run_analyses
from examples.genomics.gwas.arguments import Arguments, make_parser, read_arguments
from examples.genomics.gwas.study import Study, open_study
from examples.genomics.gwas.vcf import convert
from examples.workload.communicator import Communicator
from examples.workload.files import source
from examples.workload.program import run_program
from examples.workload.results import prepare


def main(comm: Communicator, words: Sequence[str]) -> int:
    """Run the program on this rank; the exit code."""
    opened: list[Study] = []  # by rank 0, before the others begin

    def check(words: Sequence[str]) -> Arguments | None:
        arguments = read_arguments(words)
        if arguments is not None:
            conversion = convert(arguments.vcf, Path(arguments.bfile)) if arguments.vcf else None
            opened.append(open_study(arguments, conversion))
        return arguments

    return run_program(comm, make_parser(), check, lambda comm, arguments: work(comm, arguments, *opened), words)


def work(comm: Communicator, arguments: Arguments, opened: Study | None = None) -> None:
    """Run all analyses, write the results, and print the table of the run on rank 0."""
    study = opened or open_study(arguments)
    traits = study.models()[0] if arguments.analyses & {"glm", "lmm"} else []
    session = Session(comm, arguments, study, prepare(comm, arguments.out, names_of_files(traits, arguments.out)))
    run_analyses(session)
    if comm.rank == 0:
        session.place.partial(RUN).write_text(json.dumps(_run(session), indent=2) + "\n", encoding="utf-8")
    comm.Barrier()  # every rank's part is written
    if comm.rank == 0:
        session.place.make_visible()
        print(_table(session), flush=True)
    comm.Barrier()  # the results are there when any rank returns


def _run(session: Session) -> dict[str, object]:
    study = session.study
    return {
        "inputs": [{"path": address, "bytes": source(address).size} for address in study.inputs()],
        **({"converted from": {"path": session.arguments.vcf, **vars(study.conversion)}} if study.conversion else {}),
        "people": len(study.fileset.samples),
        "variants": len(study.fileset.variants),
        "left out: on X, Y, MT": int((~study.fileset.variants.diploid).sum()),
        "tables": {
            table.address: {"people": table.matched, "lines of others": table.others}
            for table in (study.phenotypes, study.covariates)
            if table
        },
        **session.figures,
        "files": session.files,
    }


def _table(session: Session) -> str:
    study = session.study
    left_out = int((~study.fileset.variants.diploid).sum())
    rows = {
        "genotypes": f"{len(study.fileset.samples):,} people, {len(study.fileset.variants):,} variants"
        + (f", {left_out:,} on X, Y, MT left out" if left_out else ""),
        **({"converted": study.conversion.tell()} if study.conversion else {}),
        **_tables(study),
        **({"scores": study.weights.tell()} if study.weights else {}),
    }
    if found := session.figures.get("principal components"):
        doubtful = found["not converged"]
        rows["components"] = f"{len(found['eigenvalues'])} in {found['passes']} passes" + (
            f"; not converged: {', '.join(map(str, doubtful))}" if doubtful else ""
        )
    for analysis in ("glm", "lmm"):
        for trait, facts in session.figures.get(analysis, {}).items():
            best = facts["smallest P"]
            told = f"{facts['people']:,} people, {facts['tested']:,} variants"
            if best:
                told += f", lambda {facts['lambda']:.3f}, {facts['below 5e-8']} below 5e-8, smallest P {best['P']} of {best['id']}"
            rows[f"{analysis} {trait}"] = told
    rows["results"] = str(session.arguments.out)
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())


def _tables(study: Study) -> dict[str, str]:
    return {
        name: f"{', '.join(table.columns)} of {table.matched:,} people"
        + (f"; {table.others:,} lines of others left out" if table.others else "")
        for name, table in (("phenotypes", study.phenotypes), ("covariates", study.covariates))
        if table
    }


if __name__ == "__main__":
    from mpi4py import MPI

    sys.exit(main(MPI.COMM_WORLD, sys.argv[1:]))
