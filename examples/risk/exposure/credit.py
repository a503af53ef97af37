"""What defaults cost: credit and debit valuation adjustments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def hazard(spread: Reals, recovery: Reals) -> Reals:
    """Constant default intensity, per year, from a CDS spread: the credit triangle, spread / (1 - recovery)."""
    return spread / (1.0 - recovery)


def default_weights(spread: Reals, recovery: Reals, times: Reals) -> Reals:
    """What each discounted expected exposure counts for in CVA: loss given default times the probability of default around it.

    CVA = (1 - R) sum over i of (E(i-1) + E(i)) / 2 * (Q(t(i-1)) - Q(t(i))), Q the probability of survival (Basel's regulatory form,
    MAR50.32, with today's exposure at t = 0). Independence of exposure and default: no wrong-way risk.

    Args:
        spread: of CDS, per year, (netting sets,).
        recovery: (netting sets,).
        times: years, from 0 on, (dates,).

    Returns:
        (dates, netting sets), so that CVA is the sum of weights * exposures over the dates.
    """
    survival = np.exp(-hazard(spread, recovery) * times[:, None])
    fails = -np.diff(survival, axis=0) * (1.0 - recovery)
    weights = np.zeros_like(survival)
    weights[:-1] += 0.5 * fails
    weights[1:] += 0.5 * fails
    return weights
