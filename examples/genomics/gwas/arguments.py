"""What was asked for, or every problem with it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.workload.arguments import (
    CheckpointPlan,
    Parser,
    add_checkpoint,
    add_out,
    check_out,
    input_problem,
    number,
    read_checkpoint,
    whole_number,
)
from examples.workload.errors import BadArguments

MOST_COMPONENTS = 200
_GRM_FORMS = ("plink2", "gcta")
_ANALYSES = ("freq", "missing", "hardy", "pca", "grm", "glm", "lmm", "score")
_ENDINGS = ("bed", "bim", "fam")
_CONVERTED = "genotypes"  # the fileset of a VCF, in the directory of the results


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        bfile: PLINK fileset without ending.
        vcf: what it is made of first; None: it is there.
        pheno: table of phenotypes; None: the sixth column of the .fam.
        pheno_names: which of its columns; all if empty.
        covar: table of covariates.
        covar_names: which of its columns; all if empty.
        score: table of weights of polygenic scores.
        grm: whose form relationships are written in, plink2 or gcta; None if they are not asked for.
        analyses: of freq, missing, hardy, pca, grm, glm, lmm, score.
        components: how many principal components to find; 0 for none.
        pcs: how many of them are covariates.
        lmm_delta: ratio of the variances of noise and genome in the mixed model; None: estimated.
        out: directory of the results.
        checkpoint: where and how often to save.
    """

    bfile: str
    vcf: str | None
    pheno: str | None
    pheno_names: tuple[str, ...]
    covar: str | None
    covar_names: tuple[str, ...]
    score: str | None
    grm: str | None
    analyses: frozenset[str]
    components: int
    pcs: int
    lmm_delta: float | None
    out: Path
    checkpoint: CheckpointPlan


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("gwas", "Genome-wide association studies of PLINK files, over MPI.")
    parser.add_argument("--bfile", metavar="PREFIX", help="PREFIX.bed, PREFIX.bim and PREFIX.fam, here or at s3://")
    parser.add_argument(
        "--vcf", metavar="FILE", help="VCF or BCF instead: made into DIR/genotypes.bed, .bim, .fam once; needs cyvcf2"
    )
    parser.add_argument(
        "--pheno", metavar="FILE", help="table of phenotypes, header '#FID IID NAME ...' (default: those of the .fam)"
    )
    parser.add_argument("--pheno-name", default="", metavar="NAMES", help="which phenotypes, with commas between (default: all)")
    parser.add_argument("--covar", metavar="FILE", help="table of covariates, with such a header")
    parser.add_argument("--covar-name", default="", metavar="NAMES", help="which covariates, with commas between (default: all)")
    parser.add_argument("--freq", action="store_true", help="allele frequencies: gwas.afreq")
    parser.add_argument("--missing", action="store_true", help="missing calls of variants and people: gwas.vmiss, gwas.smiss")
    parser.add_argument("--hardy", action="store_true", help="exact tests of Hardy-Weinberg equilibrium: gwas.hardy")
    parser.add_argument("--pca", default="0", metavar="N", help="N principal components: gwas.eigenvec, gwas.eigenval, pca.svg")
    parser.add_argument("--pcs", default="0", metavar="N", help="use the first N components as covariates (default: 0)")
    parser.add_argument(
        "--grm",
        nargs="?",
        const=_GRM_FORMS[0],
        metavar="FORM",
        help="genetic relationships of all pairs; plink2 (default): gwas.rel.bin, .rel.id; gcta: gwas.grm.bin, .grm.N.bin, .grm.id",
    )
    parser.add_argument(
        "--glm", action="store_true", help="regression on each variant: NAME.glm.linear, .glm.logistic.hybrid, charts"
    )
    parser.add_argument("--lmm", action="store_true", help="mixed model of each phenotype: NAME.lmm.tsv, charts")
    parser.add_argument(
        "--lmm-delta",
        metavar="RATIO",
        help="variance of noise by that of the genome (default: estimated, by restricted likelihood)",
    )
    parser.add_argument("--score", metavar="FILE", help="polygenic scores, header 'ID A1 NAME ...': gwas.sscore")
    add_out(parser)
    add_checkpoint(parser)
    return parser


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """Check the words of a command line; None if it asks for help.

    Raises:
        BadArguments: with all problems.
    """
    problems: list[str] = []
    given = make_parser().read(words, problems)
    if given is None:
        return None
    _check_inputs(given, problems)
    components = whole_number("--pca", given.pca, (0, MOST_COMPONENTS), problems)
    pcs = whole_number("--pcs", given.pcs, (0, MOST_COMPONENTS), problems)
    asked = frozenset(name for name in _ANALYSES if (components if name == "pca" else getattr(given, name)))
    if pcs and not asked & {"glm", "lmm"}:
        problems.append("--pcs: needs --glm or --lmm, whose covariates they are; --pca finds components")
    if not asked and not pcs:
        problems.append(f"nothing is asked for; give one or more of {', '.join('--' + name for name in _ANALYSES)}")
    if given.grm not in (None, *_GRM_FORMS):
        problems.append(f"--grm: is {given.grm!r}, but must be {' or '.join(_GRM_FORMS)}, or nothing")
    delta = None if given.lmm_delta is None else number("--lmm-delta", given.lmm_delta, (1e-3, 1e6), problems)
    if delta is not None and not given.lmm:
        problems.append("--lmm-delta: needs --lmm")
    check_out(given, problems)
    checkpoint = read_checkpoint(given, problems)
    if problems:
        raise BadArguments(problems)
    return Arguments(
        bfile=str(Path(given.out) / _CONVERTED) if given.vcf else _prefix(given),
        vcf=given.vcf,
        pheno=given.pheno,
        pheno_names=_names(given.pheno_name),
        covar=given.covar,
        covar_names=_names(given.covar_name),
        score=given.score,
        grm=given.grm,
        analyses=asked | ({"pca"} if pcs else set()),
        components=max(components, pcs),
        pcs=pcs,
        lmm_delta=delta,
        out=Path(given.out),
        checkpoint=checkpoint,
    )


def _check_inputs(given: Namespace, problems: list[str]) -> None:
    if (given.bfile is None) == (given.vcf is None):
        wrong = "is missing" if given.bfile is None else "and --vcf are two sources of genotypes"
        problems.append(f"--bfile: {wrong}; name a PLINK fileset without its ending, or with --vcf a VCF or BCF")
    elif given.bfile is not None:
        problems += [problem for ending in _ENDINGS if (problem := input_problem("--bfile", f"{_prefix(given)}.{ending}"))]
    for name, address in (("--vcf", given.vcf), ("--pheno", given.pheno), ("--covar", given.covar), ("--score", given.score)):
        if address and (problem := input_problem(name, address)):
            problems.append(problem)
    if given.pheno_name and not given.pheno:
        problems.append("--pheno-name: needs --pheno; the .fam has one phenotype only, PHENO1")
    if given.covar_name and not given.covar:
        problems.append("--covar-name: needs --covar")


def _prefix(given: Namespace) -> str:
    return str(given.bfile).removesuffix(".bed")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
