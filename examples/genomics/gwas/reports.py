"""Tables in plink2's columns, with its digits, for the variants of one rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.association import Associations
from examples.genomics.gwas.bed import Samples, Variants
from examples.genomics.gwas.estimates import AS_PLINK, Code, Estimates
from examples.genomics.gwas.frequencies import Frequencies
from examples.genomics.gwas.hardy import hardy_p
from examples.genomics.gwas.tables import Column, case_control
from examples.genomics.gwas.tails import normal_log_p, t_log_p

LINEAR = "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tOBS_CT\tBETA\tSE\tT_STAT\tP\tERRCODE\n"
LOGISTIC = "#CHROM\tPOS\tID\tREF\tALT\tA1\tFIRTH?\tTEST\tOBS_CT\tOR\tLOG(OR)_SE\tZ_STAT\tP\tERRCODE\n"
AFREQ = "#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT\n"
VMISS = "#CHROM\tID\tMISSING_CT\tOBS_CT\tF_MISS\n"
HARDY = "#CHROM\tID\tA1\tAX\tHOM_A1_CT\tHET_A1_CT\tTWO_AX_CT\tO(HET_A1)\tE(HET_A1)\tP\n"
_SMALLEST_LOG = -690.0  # below it a P value is no normal number: its digits come from the logarithm
_NONE = "NA\tNA\tNA\tNA"


def log_p(associations: Associations, at: int, covariates: int) -> npt.NDArray[np.float64]:
    """Logarithms of P values of one trait, (variants,), nan where there is none.

    Args:
        associations: this rank's.
        at: which trait.
        covariates: of its model, the intercept included.
    """
    found = associations.estimates[at]
    result = np.full(len(found.beta), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = found.beta / found.se
    known = ~np.isnan(statistic)
    if associations.traits[at].binary:
        result[known] = normal_log_p(statistic[known])
    else:
        result[known] = t_log_p(statistic[known], (found.people[known] - covariates - 1).astype(np.float64))
    return result


def association_lines(
    variants: Variants, associations: Associations, at: int, logs: npt.NDArray[np.float64], reported: npt.NDArray[np.bool_]
) -> list[str]:
    """Lines of ``.glm.linear`` or ``.glm.logistic.hybrid``: about the rarer allele.

    Args:
        variants: of the fileset.
        associations: this rank's.
        at: which trait.
        logs: from `log_p`.
        reported: (variants of this rank,): which have a line.
    """
    found, binary = associations.estimates[at], associations.traits[at].binary
    beta = np.where(associations.flipped, -found.beta, found.beta)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        columns = (np.exp(beta) if binary else beta, found.se, beta / found.se)
    numbers = zip(*(column.tolist() for column in columns), _p_texts(logs), strict=True)
    rows = zip(
        _places(variants, associations.first, associations.last),
        associations.flipped.tolist(),
        zip(found.people.tolist(), found.code.tolist(), found.firth.tolist(), strict=True),
        numbers,
        reported.tolist(),
        strict=True,
    )
    errors = {int(code): text for code, text in AS_PLINK.items()}
    lines = []
    for (chrom, pos, name, ref, alt), flipped, (people, code, firth), (effect, se, statistic, p), shown in rows:
        if not shown:
            continue
        a1 = ref if flipped else alt
        test = f"{'Y' if firth else 'N'}\tADD" if binary else "ADD"
        values = _NONE if math.isnan(se) else f"{effect:.6g}\t{se:.6g}\t{statistic:.6g}\t{p}"
        lines.append(f"{chrom}\t{pos}\t{name}\t{ref}\t{alt}\t{a1}\t{test}\t{people}\t{values}\t{errors[code]}\n")
    return lines


def frequency_lines(variants: Variants, counted: Frequencies) -> tuple[list[str], list[str]]:
    """Lines of ``.afreq`` and ``.vmiss``, of diploid variants."""
    founders = counted.founders
    alleles = 2 * founders.called
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (founders.a1 / alleles).tolist()
    everybody = len(counted.missing_of_people)
    rows = zip(
        _places(variants, counted.first, counted.last),
        shares,
        alleles.tolist(),
        counted.missing.tolist(),
        variants.diploid[counted.first : counted.last].tolist(),
        strict=True,
    )
    afreq, vmiss = [], []
    for (chrom, _, name, ref, alt), share, total, missing, shown in rows:
        if shown:
            afreq.append(f"{chrom}\t{name}\t{ref}\t{alt}\t{share:.6g}\t{total}\n")
            vmiss.append(f"{chrom}\t{name}\t{missing}\t{everybody}\t{missing / everybody:.6g}\n")
    return afreq, vmiss


def hardy_lines(variants: Variants, counted: Frequencies) -> list[str]:
    """Lines of ``.hardy``, of autosomal variants; its A1 is REF."""
    ref, het, alt = counted.founders.hom_a2, counted.founders.het, counted.founders.hom_a1
    called = counted.founders.called
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (2 * ref + het) / (2 * called)
        observed, expected = (het / called).tolist(), np.where(called > 0, 2 * share * (1 - share), 0).tolist()
    ps = hardy_p(ref, het, alt).tolist()
    counts = zip(ref.tolist(), het.tolist(), alt.tolist(), strict=True)
    shown = variants.diploid[counted.first : counted.last].tolist()
    lines = []
    rows = zip(_places(variants, counted.first, counted.last), counts, observed, expected, ps, shown, strict=True)
    for (chrom, _, name, a2, a1), (homs, hets, others), seen, due, p, wanted in rows:
        if wanted:
            lines.append(f"{chrom}\t{name}\t{a2}\t{a1}\t{homs}\t{hets}\t{others}\t{seen:.6g}\t{due:.6g}\t{p:.6g}\n")
    return lines


def smiss(samples: Samples, missing: npt.NDArray[np.int64], variants: int, phenotypes: Mapping[str, Column]) -> str:
    """The whole ``.smiss``.

    Args:
        samples: everybody.
        missing: calls of each.
        variants: that were looked at.
        phenotypes: whose absence has a column of Y and N each, (samples,).
    """
    head = "\t".join(["#FID", "IID", *phenotypes, "MISSING_CT", "OBS_CT", "F_MISS"]) + "\n"
    absent = [np.where(np.isnan(_known(column)), "Y\t", "N\t").tolist() for column in phenotypes.values()]
    rows = zip(
        samples.fid,
        samples.iid,
        map("".join, zip(*absent, strict=True) if absent else [""] * len(samples)),
        missing.tolist(),
        strict=True,
    )
    share = {count: f"{count / variants:.6g}" if variants else "nan" for count in set(missing.tolist())}
    lines = (f"{fid}\t{iid}\t{without}{count}\t{variants}\t{share[count]}\n" for fid, iid, without, count in rows)
    return head + "".join(lines)


def _known(column: Column) -> Column:
    coded = case_control(column)  # which has 0 for missing
    return column if coded is None else coded


def p_text(log: float) -> str:
    """A P value from its natural logarithm, to six digits, however small."""
    if log > _SMALLEST_LOG:
        return f"{math.exp(log):.6g}"
    decimal = log / math.log(10)
    exponent = math.floor(decimal)
    digits = f"{10 ** (decimal - exponent):.6g}"
    return f"1e{exponent + 1}" if digits == "10" else f"{digits}e{exponent}"


def _p_texts(logs: npt.NDArray[np.float64]) -> list[str]:
    texts = [f"{p:.6g}" for p in np.exp(logs).tolist()]
    for at in np.flatnonzero(logs <= _SMALLEST_LOG).tolist():
        texts[at] = p_text(float(logs[at]))
    return texts


def _places(variants: Variants, first: int, last: int) -> Iterator[tuple[str, int, str, str, str]]:
    """Chromosome, position, id, REF and ALT of each variant."""
    rows = slice(first, last)
    return zip(
        variants.chrom[rows], variants.pos[rows].tolist(), variants.id[rows], variants.a2[rows], variants.a1[rows], strict=True
    )


def tell_codes(estimates: Estimates) -> dict[str, int]:
    """How many variants have no estimate, or a doubtful one, by plink2's word."""
    codes, counts = np.unique(estimates.code, return_counts=True)
    return {AS_PLINK[Code(code)]: int(number) for code, number in zip(codes.tolist(), counts.tolist(), strict=True) if code}
