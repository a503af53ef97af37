"""Paths of scrambled Sobol' points instead of independent draws.

The better a point's first coordinates are spread, the more they should decide, so the Brownian motions are put together from
their principal components, those with the largest variance first (Acworth, Broadie and Glasserman, "A comparison of some Monte
Carlo and quasi Monte Carlo techniques for option pricing", 1998). Their covariance is min(t, t') over dates and the correlation
over assets; its eigenvectors are products of both, so it is never formed.

Replicates are one linear scramble with digital shifts of their own (L'Ecuyer and Lemieux 2002): each alone is uniform, whatever
the scramble, so they are uncorrelated estimates without bias; a shift takes a microsecond, a scramble of 50 dimensions 4 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm
from examples.risk.american.paths import Floats
from examples.risk.numerics.normal_quantile import NormalQuantile
from examples.risk.numerics.philox import Philox
from examples.risk.numerics.sobol import BITS, Sobol

Reals = npt.NDArray[np.float64]
DIMENSIONS = 21_201  # of a point; dates times assets


class SobolForward:
    """The `Forward` paths of correlated geometric Brownian motions, block by block of all replicates' points.

    Args:
        contract: which has the dates and the strike.
        model: the assets.
        seed: of the scramble and the shifts.
        stream: of the shifts.
        block_bits: a block has 2**block_bits points.
        blocks: of a replicate; block b of all is block b % blocks of replicate b // blocks.
        dtype: of the states.

    Raises:
        ValueError: more dates times assets than Sobol' points have dimensions.
    """

    def __init__(
        self,
        contract: Contract,
        model: Gbm,
        seed: int,
        stream: int,
        block_bits: int,
        blocks: int,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        times = np.asarray(contract.dates)
        dates, assets = self._shape = len(times), len(model.spots)
        if dates * assets > DIMENSIONS:
            raise ValueError(
                f"{dates:,} dates of {assets} assets need {dates * assets:,} dimensions; Sobol' points have {DIMENSIONS:,}: "
                "take independent draws, or fewer dates"
            )
        over_time, time_variances = _components(np.minimum.outer(times, times))
        over_assets, asset_variances = _components(model.correlation)
        self._over_time = over_time  # (dates, components)
        self._over_assets = over_assets * model.volatilities[:, None]  # (assets, components)
        order = np.argsort(-np.outer(time_variances, asset_variances).ravel(), kind="stable")
        self._dimension_of_row = np.argsort(order)
        drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
        self._levels = np.log(model.spots / contract.strike) + np.outer(times, drifts)  # (dates, assets)
        self._points = Sobol(dates * assets, block_bits, seed)
        self._shifts, self._blocks = Philox(seed, stream), blocks
        paths = 1 << block_bits
        self._whole = np.empty((dates * assets, paths), np.uint32)
        self._placed, self._quantile = np.empty_like(self._whole), NormalQuantile()
        self._normals = np.empty((dates * assets, paths))
        self._motions = np.empty((dates, assets * paths))
        self._state = np.empty((assets, paths))
        self._out = np.empty((assets, paths), dtype)
        self._date = 0

    def begin(self, block: int) -> None:
        """Make a block's paths, all dates at once."""
        dates, assets = self._shape
        replicate, number = divmod(block, self._blocks)
        shift = self._shifts.words(replicate, dates * assets) >> np.uint64(64 - BITS)
        whole = self._points.block(number, self._whole)
        np.bitwise_xor(whole, shift.astype(np.uint32)[:, None], out=whole)
        take: Any = np.take  # numpy's types know no mode with out
        self._quantile(take(whole, self._dimension_of_row, axis=0, out=self._placed, mode="clip"), self._normals)
        np.matmul(self._over_time, self._normals.reshape(dates, -1), out=self._motions)
        self._date = 0

    def step(self) -> Floats:
        """States on the next date."""
        date, state = self._date, self._state
        np.matmul(self._over_assets, self._motions[date].reshape(state.shape), out=state)
        np.add(state, self._levels[date][:, None], out=state)
        np.exp(state, out=self._out, casting="same_kind")
        self._date += 1
        return self._out


def _components(covariance: Reals) -> tuple[Reals, Reals]:
    """Principal components as columns, each as long as its deviation, the largest first; their variances."""
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    return np.ascontiguousarray(vectors * np.sqrt(variances)), variances
