from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from examples.risk.numerics.normal_quantile import MAXIMUM_ERROR, NormalQuantile


def test_the_table_is_scipys_function_everywhere() -> None:
    """In all cells, at their edges, and at both ends of the numbers, the error is what the module says."""
    edges = (np.arange(1, 4096, dtype=np.uint64) << np.uint64(20))[:, None] + np.array([-1, 0, 1, 3 << 18], np.int64).astype(
        np.uint64
    )
    numbers = np.append(edges.ravel(), [0, 1, 2**32 - 2, 2**32 - 1]).astype(np.uint32)
    normals = NormalQuantile()(numbers, np.empty(numbers.shape))
    assert np.abs(normals - ndtri((numbers + 0.5) / 2**32)).max() < MAXIMUM_ERROR


def test_bits_do_not_depend_on_what_stands_beside() -> None:
    """A number's normal is the same alone and in an array of any shape."""
    numbers = np.random.default_rng(1).integers(0, 2**32, (3, 20_000), dtype=np.uint32)
    whole, quantile = NormalQuantile()(numbers, np.empty(numbers.shape)), NormalQuantile()
    assert all(quantile(numbers[1, at : at + 1], np.empty(1))[0] == whole[1, at] for at in range(0, 20_000, 997))
