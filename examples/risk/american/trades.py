"""A contract and the model it is priced in, as a user gives them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import ONE_ASSET, PAYOFFS, Contract
from examples.risk.american.fields import Fields
from examples.risk.american.model import Gbm, Heston, Model

Reals = npt.NDArray[np.float64]
MODELS: Final = ("gbm", "heston")
HESTON: Final = ("variance", "kappa", "theta", "xi", "rho")
_PER_ASSET: Final = ("spot", "dividend", "volatility", "weights")
FIELDS: Final = (
    *("name", "payoff", "strike", "expiry", "dates", "today", "reference"),
    *("model", "rate", "assets", *_PER_ASSET, "correlation", *HESTON),
)
MOST_ASSETS, MOST_DATES = 100, 5000
_MONEY, _YEARS, _RATES = (0.0, 1e12), (0.0, 100.0), (-0.5, 1.0)
_LEAST_EIGENVALUE = -1e-10  # of a correlation matrix: rounding of a singular one


@dataclass(frozen=True, slots=True)
class Trade:
    """What is priced.

    Attributes:
        name: by which results are told.
        contract: what the holder may do.
        model: how the assets move.
        reference: the price as known from elsewhere, in money; None if it is not.
    """

    name: str
    contract: Contract
    model: Model
    reference: float | None = None

    @property
    def spots(self) -> Reals:
        """Of today, in money, (assets,)."""
        return self.model.spots if isinstance(self.model, Gbm) else np.array([self.model.spot])

    def told(self) -> dict[str, Any]:
        """Contract and model for JSON."""
        model = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(self.model).items()}
        return {"contract": asdict(self.contract), "model": {"name": type(self.model).__name__.lower(), **model}}


def read_trade(fields: Fields, name: str, warnings: list[str]) -> Trade | None:
    """The trade of these fields; None after a problem, all of which the fields were told of.

    Args:
        fields: see `FIELDS`; money, years, and rates, dividends and volatilities a year.
        name: if they have none.
        warnings: to which is added what is unusual, but not wrong.
    """
    fields.only(FIELDS)
    payoff = fields.word("payoff", PAYOFFS)
    assets = _assets(fields, payoff)
    model = fields.word("model", MODELS, MODELS[0])
    dates = _dates(fields)
    strike = fields.number("strike", _MONEY, above=True)
    spots = fields.each("spot", assets, _MONEY, above=True)
    rate, dividends = fields.number("rate", _RATES), fields.each("dividend", assets, _RATES, 0.0)
    weights: tuple[float, ...] = ()
    if payoff.startswith("basket"):
        weights = tuple(fields.each("weights", assets, (0.0, 1e6), 1 / assets, above=True))
    else:
        fields.unused(("weights",), f"a {payoff} has none; only baskets do")
    contract = Contract(payoff, strike, dates, fields.flag("today", default=True), weights)
    reference = fields.number("reference", (0.0, 1e12)) if "reference" in fields else None
    name = fields.text("name", name)
    if model == "gbm":
        fields.unused(HESTON, "is of the model heston, but the model is gbm; give model: heston, or leave it out")
        volatilities = fields.each("volatility", assets, (0.0, 10.0), above=True)
        moved: Model = Gbm(rate, np.array(spots), np.array(dividends), np.array(volatilities), _correlation(fields, assets))
    else:
        moved = _heston(fields, payoff, assets, rate, spots[0], dividends[0])
        if 2 * moved.kappa * moved.theta < moved.xi**2:
            warnings.append(
                f"{name}: 2 kappa theta = {2 * moved.kappa * moved.theta:g} is below xi^2 = {moved.xi**2:g} (Feller's condition): "
                "the variance reaches 0, and prices converge more slowly in the time step"
            )
    return None if fields.failed else Trade(name, contract, moved, reference)


def _assets(fields: Fields, payoff: str) -> int:
    """How many: as `assets` says, or else as long as the longest list is."""
    lengths = [len(items) for name in (*_PER_ASSET, "correlation") if (items := fields.listed(name))]
    assets = fields.whole("assets", (1, MOST_ASSETS), max(lengths, default=1))
    if payoff in ONE_ASSET and assets > 1:
        fields.wrong("payoff", f"a {payoff} is on one asset, but there are {assets}; give max-call, min-put or a basket")
    if payoff not in ONE_ASSET and assets < 2:
        fields.wrong("payoff", f"a {payoff} is on several assets, but there is one; give assets, or a list of spots")
    if assets > MOST_ASSETS:
        fields.wrong("spot", f"has {assets} numbers, but at most {MOST_ASSETS} assets can be priced")
    return assets


def _dates(fields: Fields) -> tuple[float, ...]:
    """Exercise dates: those of a list, or so many, the last of which is the expiry."""
    items = fields.listed("dates")
    if items is None:
        expiry = fields.number("expiry", _YEARS, above=True)
        count = fields.whole("dates", (1, MOST_DATES), 1)
        if "dates" not in fields:
            fields.wrong("dates", "is missing; give how many exercise dates there are, equally far apart, or their list in years")
        return tuple(expiry * number / count for number in range(1, count + 1))
    dates = fields.items("dates", items, _YEARS, above=True)
    if not dates or len(dates) > MOST_DATES:
        fields.wrong("dates", f"has {len(dates)} dates, but there must be 1 to {MOST_DATES}")
    for at, (before, date) in enumerate(pairwise(dates), 1):
        if date <= before:
            fields.wrong(f"dates[{at}]", f"is {date:g}, which does not come after {before:g}; exercise dates ascend")
    if "expiry" in fields and dates and (expiry := fields.number("expiry", _YEARS, above=True)) != dates[-1]:
        fields.wrong("expiry", f"is {expiry:g}, but the last of the dates is {dates[-1]:g}; leave it out")
    return tuple(dates)


def _correlation(fields: Fields, assets: int) -> Reals:
    """A matrix, or the same number for all pairs."""
    rows = fields.listed("correlation")
    if rows is None:
        matrix = np.full((assets, assets), fields.number("correlation", (-1.0, 1.0), 0.0))
        np.fill_diagonal(matrix, 1)
    elif len(rows) != assets or any(not isinstance(row, (list, tuple)) or len(row) != assets for row in rows):
        sizes = sorted({len(row) if isinstance(row, (list, tuple)) else 1 for row in rows})
        fields.wrong(
            "correlation",
            f"has {len(rows)} rows of {' or '.join(map(str, sizes))} numbers, but {assets} assets take {assets} of {assets}",
        )
        return np.eye(assets)
    else:
        matrix = np.array([fields.items(f"correlation[{at}]", row, (-1.0, 1.0)) for at, row in enumerate(rows)])
    if np.isnan(matrix).any():
        return np.eye(assets)
    for one, other in zip(*np.nonzero(np.triu(matrix != matrix.T)), strict=True):
        told = f"is {matrix[one, other]:g}, but [{other}][{one}] is {matrix[other, one]:g}; correlations are symmetric"
        fields.wrong(f"correlation[{one}][{other}]", told)
    for at in np.flatnonzero(np.diag(matrix) != 1):
        fields.wrong(f"correlation[{at}][{at}]", f"is {matrix[at, at]:g}, but each asset's correlation with itself is 1")
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < _LEAST_EIGENVALUE:
        fields.wrong(
            "correlation",
            f"is of no random variables: its smallest eigenvalue is {least:.4g}, but none may be below 0; "
            + (f"equal correlations of {assets} assets are at least {-1 / (assets - 1):.4g}" if rows is None else "lessen it"),
        )
    return np.asarray(matrix, np.float64)


def _heston(fields: Fields, payoff: str, assets: int, rate: float, spot: float, dividend: float) -> Heston:
    if assets > 1 or payoff not in ONE_ASSET:
        fields.wrong("model", f"heston is of one asset, for {' and '.join(ONE_ASSET)} only")
    fields.unused(("volatility",), "heston has a variance instead: give variance, the volatility squared")
    fields.unused(("correlation",), "heston has one asset; rho is its correlation with the variance")
    variance, kappa, theta, xi = (
        fields.number(name, (0.0, most), above=True)
        for name, most in (("variance", 10.0), ("kappa", 100.0), ("theta", 10.0), ("xi", 10.0))
    )
    return Heston(rate, spot, dividend, variance, kappa, theta, xi, fields.number("rho", (-1.0, 1.0)))
