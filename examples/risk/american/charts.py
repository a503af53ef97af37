"""Which charts a run draws, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american import plots
from examples.risk.american.boundary import region_of
from examples.risk.american.priced import Priced

Reals = npt.NDArray[np.float64]
BRACKETS: Final = "brackets.svg"
_KINDS: Final = ("boundary", "region", "bounds")


def names_of_charts(contracts: int, out: Path) -> list[str]:
    """All that a run of so many contracts may draw, and what an earlier one has left in the directory."""
    names = [_name(kind, at, contracts) for kind in _KINDS for at in range(contracts)]
    left = [path.name for kind in _KINDS for path in (*out.glob(f"{kind}.svg"), *out.glob(f"{kind}-*.svg"))]
    return [*dict.fromkeys([*names, *sorted(left), BRACKETS])]


def charts(priced: Sequence[Priced], boundaries: Sequence[Mapping[str, Reals]]) -> dict[str, str]:
    """Charts by name: bounds of each contract, its boundary or region if it has one, and of several contracts their brackets.

    Args:
        priced: the contracts.
        boundaries: of each, by what else the state is, in money, (dates,); empty where there is none.
    """
    drawn: dict[str, str] = {}
    for at, (each, boundary) in enumerate(zip(priced, boundaries, strict=True)):
        trade, upper = each.trade, each.upper.convergence if each.upper else ()
        drawn[_name("bounds", at, len(priced))] = plots.bounds(
            f"{trade.name}: bounds", each.lower.convergence, upper, trade.reference
        )
        contract = trade.contract
        if boundary:
            drawn[_name("boundary", at, len(priced))] = plots.boundary(
                f"{trade.name}: exercise boundary",
                np.array(contract.dates),
                boundary,
                contract.strike,
                float(trade.spots[0]),
                below=contract.payoff == "put",
            )
        if region := region_of(trade, each.policy):
            title = f"{trade.name}: where it is exercised after {region.years:.3g} years"
            drawn[_name("region", at, len(priced))] = plots.region(title, region.first, region.second, region.exercised)
    brackets = {at: each.bracket for at, each in enumerate(priced) if each.bracket}
    if len(brackets) > 1 and len(brackets) == len(priced):
        drawn[BRACKETS] = plots.brackets(list(brackets.values()), [each.trade.reference for each in priced])
    return drawn


def _name(kind: str, at: int, contracts: int) -> str:
    return f"{kind}.svg" if contracts == 1 else f"{kind}-{at + 1}.svg"
