"""Polynomials of a few features of each path, operation by operation on whole blocks.

Only elementwise operations: a path's value has the same bits whatever the number of paths beside it, as a product of matrices
would not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Exponents = tuple[tuple[int, ...], ...]  # one row a function, one exponent a feature


class Polynomials:
    """The functions whose weighted sum is a polynomial.

    Args:
        exponents: each function is the product of the features to these powers. First comes the constant, then the features
            themselves, then products of one before and a feature.
    """

    def __init__(self, exponents: Exponents) -> None:
        self.exponents = exponents
        self._products = [(number, _factors(exponents, number)) for number in range(1 + len(exponents[0]), len(exponents))]
        self._steps: list[tuple[str, int, int]] = []  # operation, register, and coefficient or feature or register
        self._registers = self._compile({each: number for number, each in enumerate(exponents)}, 0)

    def multiply(self, functions: Sequence[Floats]) -> None:
        """Fill in the products, each (paths,), where the constant and the features are there already, as the first."""
        for number, (before, feature) in self._products:
            np.multiply(functions[before], functions[1 + feature], out=functions[number])

    def value(self, coefficients: Sequence[Any], features: Floats, out: Floats, scratch: Floats) -> None:
        """The sum of coefficients times functions by nested multiplication, (paths,); coefficients are of the features' type."""
        registers = [out, *scratch]
        for operation, register, operand in self._steps:
            r = registers[register]
            if operation == "begin":
                r.fill(coefficients[operand])
            elif operation == "first":
                coefficient, feature = divmod(operand, len(features))
                np.multiply(features[feature], coefficients[coefficient], out=r)
            elif operation == "times":
                np.multiply(r, features[operand], out=r)
            elif operation == "plus":
                np.add(r, coefficients[operand], out=r)
            else:
                np.add(r, registers[operand], out=r)

    @property
    def registers(self) -> int:
        """Rows of scratch that `value` takes."""
        return self._registers

    def _compile(self, terms: dict[tuple[int, ...], int], register: int) -> int:
        """Steps for a polynomial: terms = feature * (terms with it, divided) + rest; how many further registers they take."""
        features = len(self.exponents[0])
        constant = (0,) * features
        if set(terms) == {constant}:
            self._steps.append(("begin", register, terms[constant]))
            return 0
        chosen = max(range(features), key=lambda feature: sum(each[feature] > 0 for each in terms))
        divided = {_less(each, chosen): number for each, number in terms.items() if each[chosen]}
        rest = {each: number for each, number in terms.items() if not each[chosen]}
        more = 0
        if set(divided) == {constant}:
            self._steps.append(("first", register, divided[constant] * features + chosen))
        else:
            more = self._compile(divided, register)
            self._steps.append(("times", register, chosen))
        if set(rest) == {constant}:
            self._steps.append(("plus", register, rest[constant]))
        elif rest:
            more = max(more, 1 + self._compile(rest, register + 1))
            self._steps.append(("add", register, register + 1))
        return more


def _less(exponents: tuple[int, ...], feature: int) -> tuple[int, ...]:
    return tuple(each - (number == feature) for number, each in enumerate(exponents))


def _factors(exponents: Exponents, number: int) -> tuple[int, int]:
    """An earlier function and a feature whose product a function is."""
    for feature, power in enumerate(exponents[number]):
        if power and (divisor := _less(exponents[number], feature)) in exponents[:number]:
            return exponents.index(divisor), feature
    raise ValueError(f"function {exponents[number]} is no product of an earlier one and a feature")


def spanning(exponents: Exponents) -> tuple[int, ...]:
    """Few functions, such that all products of two are also products of any function and one of these.

    Normal equations of a cubic have 10 entries, but 7 different ones: 1, u, ... u^6, which 1 and u^3 give. Chosen greedily.
    """
    wanted = {_product(one, other) for one in exponents for other in exponents}
    chosen: list[int] = []
    while wanted:
        gains = [len(wanted & {_product(each, one) for each in exponents}) for one in exponents]
        best = max(range(len(exponents)), key=lambda number: (gains[number], number))
        chosen.append(best)
        wanted -= {_product(each, exponents[best]) for each in exponents}
    return tuple(sorted(chosen))


def products(exponents: Exponents) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """The different products of two functions: all the pairs that give it."""
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for one, left in enumerate(exponents):
        for other, right in enumerate(exponents):
            found.setdefault(_product(left, right), []).append((one, other))
    return found


def _product(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(sum, zip(one, other, strict=True)))
