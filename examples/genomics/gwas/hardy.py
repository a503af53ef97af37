"""The exact test of Hardy-Weinberg equilibrium (Wigginton, Cutler and Abecasis 2005), of many variants at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counted = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
_TIE = 1 + 2.0**-38  # what is as likely as what was seen, but for rounding, counts
_NEGLIGIBLE = 2.0**-60  # of the sum so far
_UNDERFLOW = 1e308  # the others are so much likelier than what was seen that P is no normal number: 0, as plink2 prints it


def hardy_p(hom: Counted, het: Counted, other: Counted) -> Reals:
    """P value of each variant, (variants,): of all ways to pair its alleles, the share of those not likelier than this one.

    The probability of two heterozygotes more or fewer follows from a ratio of counts, so variants walk together from what was seen,
    up and down, until nothing that they meet matters; those that have arrived leave the arrays.

    Args:
        hom: people with two alleles of one kind, (variants,).
        het: with one of each.
        other: with two of the other kind.
    """
    rows = np.stack([np.minimum(hom, other), het, np.maximum(hom, other)])
    genotypes, back = np.unique(rows, axis=1, return_inverse=True)  # many variants have few different counts
    seen = genotypes.astype(np.float64)
    unlikely, likely = np.ones(seen.shape[1]), np.zeros(seen.shape[1])
    for up in (True, False):
        _walk(seen, up, unlikely, likely)
    p: Reals = np.where(likely > _UNDERFLOW, 0.0, unlikely / (unlikely + likely))
    return p[back.reshape(-1)]


def _walk(seen: Reals, up: bool, unlikely: Reals, likely: Reals) -> None:
    """Add the probabilities on one side, relative to what was seen, to those not likelier and those likelier."""
    rare, het, common = seen
    where = np.arange(len(rare))
    relative = np.ones(len(rare))
    while len(where):
        ratio = 4 * rare * common / ((het + 2) * (het + 1)) if up else het * (het - 1) / (4 * (rare + 1) * (common + 1))
        with np.errstate(over="ignore"):  # beyond what a double holds all is likelier
            relative *= ratio
        tail = relative <= _TIE
        unlikely[where] += np.where(tail, relative, 0)
        likely[where] += np.where(tail, 0, relative)
        step = 1 if up else -1
        rare, common, het = rare - step, common - step, het + 2 * step
        # Ratios fall from here on if this one is below 1; then what follows is less than a geometric series.
        matters = (ratio >= 1) | (relative > _NEGLIGIBLE * (1 - ratio) * unlikely[where])
        going = (relative > 0) & matters & (likely[where] <= _UNDERFLOW)
        where, relative, rare, common, het = where[going], relative[going], rare[going], common[going], het[going]
