"""Writes curve.csv, counterparties.csv and swaps.csv: 20 netting sets of 50 swaps, drawn, for banks do not publish positions.

python -m examples.risk.data.make_swaps DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from examples.risk.exposure.curve import Curve

SEED, COUNTERPARTIES, SWAPS = 7, 20, 50
YEARS = np.array([0.25, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30])


def main(directory: Path) -> None:
    """Write the three files."""
    draw = np.random.Generator(np.random.Philox(SEED))
    rates = np.round(0.02 + 0.01 * (1 - np.exp(-YEARS / 5)), 6)
    curve = Curve(YEARS, rates)
    lines = [f"{year:g},{rate:g}" for year, rate in zip(YEARS, rates, strict=True)]
    _write(directory / "curve.csv", "years,zero_rate", lines)
    names = [f"CP{at:02d}" for at in range(1, COUNTERPARTIES + 1)]
    lines = []
    for at, name in enumerate(names):
        threshold = "" if at % 2 else f"{int(draw.integers(1, 11)) * 1_000_000}"
        lines.append(f"{name},{round(float(draw.uniform(0.005, 0.03)), 4):g},0.4,{threshold}")
    _write(directory / "counterparties.csv", "counterparty,cds_spread,recovery,threshold", lines)
    lines = []
    for name in names:
        for _ in range(SWAPS):
            frequency = int(draw.choice([1, 2, 4]))
            begun = bool(draw.random() < 0.5)
            periods = int(draw.integers(2, 30 * frequency))
            months = periods * 12 // frequency - (int(draw.integers(1, 12 // frequency)) if begun and frequency < 12 else 0)
            dates = np.arange(months, 0, -12 // frequency) / 12
            start = max(0.0, float(dates[-1]) - 1 / frequency)
            par = float((curve.discount(start) - curve.discount(dates[0])) / (curve.discount(dates).sum() / frequency))
            fixed = round(par + float(draw.uniform(-0.005, 0.005)), 5)
            fixing = "" if months % (12 // frequency) == 0 else f"{round(0.02 + float(draw.uniform(-0.003, 0.003)), 5):g}"
            side, notional = ("payer", "receiver")[int(draw.integers(2))], int(draw.integers(1, 20)) * 1_000_000
            lines.append(f"{name},{side},{notional},{fixed:g},{months / 12:.9g},{frequency},{fixing}")
    _write(directory / "swaps.csv", "counterparty,direction,notional,fixed_rate,maturity,payments_per_year,fixing", lines)


def _write(path: Path, head: str, lines: list[str]) -> None:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
