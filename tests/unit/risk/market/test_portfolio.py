from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from examples.risk.data import make_books
from examples.risk.market.book import Book
from examples.risk.market.portfolio import read_portfolio
from examples.risk.market.prices import Prices, read_prices
from examples.risk.numerics import black_scholes
from examples.workload.errors import Malformed
from tests.unit.risk.market.input_files import HEADER, price_rows, write_portfolio, write_rows

HORIZON = 10 / 252


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    return read_prices(write_rows(tmp_path / "prices.csv", price_rows(100)))


def read(address: str, prices: Prices) -> Book:
    return read_portfolio(address, prices, horizon=HORIZON, rate=0.02, moves_volatility=True)


def problems(address: str, prices: Prices) -> list[str]:
    with pytest.raises(Malformed) as caught:
        read(address, prices)
    return [line.strip() for line in str(caught.value).splitlines()]


def test_csv_and_yaml_give_the_same_book(tmp_path: Path, prices: Prices) -> None:
    """Shares of one name add up, options keep their order, a date is years of 365 days, names have the order of the prices."""
    lines = ["CCC,share,100,,,", "CCC,Share,-40,,,", "AAA,put,-300,95,2007-10-08,0.31", "CCC,call,50.5,110,0.25,0.28"]
    from_csv = read(write_portfolio(tmp_path / "p.csv", *lines), prices)
    (tmp_path / "p.yaml").write_text(
        "- {underlying: CCC, type: share, quantity: 100}\n- {underlying: CCC, type: share, quantity: -40}\n"
        "- underlying: AAA\n  type: put\n  quantity: -300\n  strike: 95\n  expiry: 2007-10-08\n  volatility: 0.31\n"
        "- {underlying: CCC, type: call, quantity: 50.5, strike: 110, expiry: 0.25, volatility: 0.28}\n"
    )
    from_yaml = read(str(tmp_path / "p.yaml"), prices)
    for book in (from_csv, from_yaml):
        assert book.names == ("AAA", "CCC")
        assert book.spots.tolist() == prices.values[-1, [0, 2]].tolist()
        assert book.shares.tolist() == [0, 60]
        assert book.options.underlying.tolist() == [0, 1]
        assert book.options.sign.tolist() == [-1, 1]
        assert book.options.quantity.tolist() == [-300, 50.5]
        assert book.options.expiry.tolist() == [pytest.approx(181 / 365), 0.25]  # from 10 April
        assert book.options.strike.tolist() == [95, 110]
        assert book.options.volatility.tolist() == [0.31, 0.28]
        assert book.moves_volatility


def test_a_book_of_shares_does_not_depend_on_volatility(tmp_path: Path, prices: Prices) -> None:
    """Without options there is no factor of volatility."""
    assert read(write_portfolio(tmp_path / "p.csv", "BBB,share,1,,,"), prices).factors == 1


def test_everything_wrong_is_told_with_line_and_field(tmp_path: Path, prices: Prices) -> None:
    """Unknown names and types, numbers that are none or out of range, options' fields on shares: all of them at once."""
    lines = [
        "AAB,share,3,,,",
        "AAA,share,3,100,,",
        "AAA,call,1,-5,0.25,-0.2",
        "AAA,swap,1,5,0.25,0.2",
        "BBB,put,nan,5,2007-04-12,20",
        "BBB,put,1,5,2007-13-02,0.2",
        "BBB,put,1,5,0.25,0.2,9",
        "ZZZZZ,put,1,5",
    ]
    told = problems(write_portfolio(tmp_path / "p.csv", *lines), prices)
    late = "but must be after the horizon of 0.0397 years; leave out what expires before, or take a shorter horizon"
    assert told == [
        f"{tmp_path / 'p.csv'}: 13 problems",
        "line 2, underlying: AAB has no prices; did you mean AAA?",
        "line 3, strike: is 100, but a share has none; leave it empty",
        "line 4, strike: is -5, but must be a number above 0",
        "line 4, volatility: is -0.2, but must be a number above 0",
        "line 5, type: is swap, but must be share, call or put",
        "line 6, quantity: is nan, but must be a number",
        "line 6, volatility: is 20, which is 2000% a year; write 0.31 for 31 %",
        f"line 6, expiry: is 2007-04-12, 0.0055 years after the last prices of 2007-04-10, {late}",
        "line 7, expiry: is 2007-13-02, but must be years, as in 0.25, or a date, as in 2023-06-16",
        "line 8: has 7 columns, but the header has 6",
        "line 9, underlying: ZZZZZ has no prices; known are AAA, BBB, CCC",
        "line 9, volatility: is missing, but must be a number above 0",
        "line 9, expiry: is missing, but must be years, as in 0.25, or a date, as in 2023-06-16",
    ]


def test_wrong_yaml_is_told_by_line(tmp_path: Path, prices: Prices) -> None:
    """A broken file, one that is no list, and a field that is none each have an error of their own."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "- {underlying: AAA, type: share, quantity: 1}\n- {underlying: AAA, kind: share, type: share, quantity: true}\n"
    )
    assert problems(str(path), prices)[1:] == [
        f"line 2, kind: is no field; there are {', '.join(HEADER.split(','))}",
        "line 2, quantity: is True, but must be a number",
    ]
    path.write_text("underlying: AAA\n")
    assert "must be a list of mappings" in problems(str(path), prices)[0]
    path.write_text("- {underlying: AAA\n")
    assert "line 2" in problems(str(path), prices)[0]


def test_a_wrong_header_and_an_empty_file_are_refused(tmp_path: Path, prices: Prices) -> None:
    """Fields that are missing are named; no positions are no portfolio."""
    (tmp_path / "p.csv").write_text("underlying,type,amount\nAAA,share,1\n")
    assert "line 1: quantity, strike, expiry, volatility are missing in the header" in problems(str(tmp_path / "p.csv"), prices)[0]
    assert "holds no positions" in problems(write_portfolio(tmp_path / "q.csv"), prices)[0]


def test_yaml_without_its_library_says_what_to_install(tmp_path: Path, prices: Prices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ruamel.yaml a YAML portfolio is refused with the remedy."""
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    (tmp_path / "p.yaml").write_text("[]\n")
    with pytest.raises(OSError, match=r"needs ruamel\.yaml\n  hint: pip install ruamel\.yaml"):
        read(str(tmp_path / "p.yaml"), prices)


def test_the_sample_books_are_what_their_script_makes(tmp_path: Path) -> None:
    """Both files come out of make_books again, byte by byte; the hedged book's delta at the horizon is 0 to 1/10,000 of a share."""
    make_books.main(tmp_path)
    for name in ("directional.csv", "hedged.csv"):
        assert (tmp_path / name).read_bytes() == (make_books.HERE / name).read_bytes()
    prices = read_prices("examples/risk/data/sp500.csv.gz")
    book = read(str(tmp_path / "hedged.csv"), prices)
    held = book.options
    delta = held.quantity * black_scholes.delta(
        book.spots[held.underlying], held.strike, 0.02, 0, held.volatility, held.expiry - HORIZON, held.sign
    )
    assert len(held) == 1000
    assert np.abs(np.bincount(held.underlying, delta) + book.shares).max() <= 1e-4
