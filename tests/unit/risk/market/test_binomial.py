from __future__ import annotations

import pytest
from scipy.stats import binom

from examples.risk.market.tail import binomial_quantile


@pytest.mark.parametrize("count", [1000, 4096, 1_003_520, 10**10])
def test_binomial_quantiles_are_scipys(count: int) -> None:
    """For every level and both ends of an interval it is the number that scipy.stats has."""
    for level in (0.95, 0.975, 0.99, 0.999):
        for share in (0.025, 0.5, 0.975):
            assert binomial_quantile(share, count, 1 - level) == int(binom.ppf(share, count, 1 - level))
    assert binomial_quantile(1e-300, 10, 0.5) == 0
