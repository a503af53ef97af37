from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from examples.genomics.gwas.hardy import hardy_p


def by_enumeration(hom: int, het: int, other: int) -> float:
    """The P value from all ways to pair the alleles, in whole numbers."""
    rare, people = 2 * min(hom, other) + het, hom + het + other

    def weight(hets: int) -> Fraction:
        few = (rare - hets) // 2
        ways = factorial(people) // (factorial(few) * factorial(hets) * factorial(people - few - hets))
        return Fraction(ways * 2**hets)

    weights = {hets: weight(hets) for hets in range(rare % 2, rare + 1, 2)}
    return float(sum(each for each in weights.values() if each <= weights[het]) / sum(weights.values()))


def test_p_values_are_those_of_enumeration() -> None:
    """Every table of 1 to 14 people, and some larger ones, have the P value that counting all pairings gives."""
    tables = [(a, b, n - a - b) for n in range(1, 15) for a in range(n + 1) for b in range(n + 1 - a)]
    tables += [(57, 78, 12), (1, 250, 3), (200, 0, 7), (30, 200, 270), (0, 90, 410)]
    found = hardy_p(*(np.array(column) for column in zip(*tables, strict=True)))
    assert found == pytest.approx([by_enumeration(*table) for table in tables], rel=1e-11)


def test_nobody_and_one_allele_have_p_1_and_the_impossible_0() -> None:
    """Without a second allele nothing speaks against equilibrium; what is too unlikely for a double is 0, as in plink2."""
    found = hardy_p(np.array([0, 900, 0, 2500]), np.array([0, 0, 5000, 0]), np.array([0, 0, 0, 2500]))
    assert found.tolist() == [1, 1, 0, 0]


def test_p_values_go_on_to_the_smallest_double() -> None:
    """1,026 heterozygotes and nobody else have the P value of 8e-308 that plink2 prints."""
    assert hardy_p(np.array([0]), np.array([1026]), np.array([0]))[0] == pytest.approx(8.09299e-308, rel=1e-5, abs=0)
