from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from examples.risk.market.prices import read_prices
from examples.workload.errors import Malformed
from tests.unit.risk.market.input_files import price_rows, write_rows


def test_prices_are_read_plain_and_compressed(tmp_path: Path) -> None:
    """Names, dates and prices are those of the file, with gzip or without it, and blank lines do not count."""
    rows = price_rows(100)
    plain = read_prices(write_rows(tmp_path / "plain.csv", [*rows, [""]]))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
    packed = read_prices(str(tmp_path / "packed.csv.gz"))
    assert plain.names == packed.names == ("AAA", "BBB", "CCC")
    assert [str(day) for day in plain.dates] == [row[0] for row in rows[1:]]
    assert plain.values.tolist() == packed.values.tolist() == [[float(cell) for cell in row[1:]] for row in rows[1:]]
    assert plain.changes()[0, 1] == pytest.approx(np.log(float(rows[2][2]) / float(rows[1][2])), rel=1e-12)


def test_a_part_of_the_prices_keeps_their_order() -> None:
    """Columns are those that are asked for, in that order, and rows end at a date that need not be one of them."""
    prices = read_prices("examples/risk/data/sp500.csv.gz")
    part = prices.of(["XOM", "AAPL"]).until(date(2000, 1, 2))
    assert part.names == ("XOM", "AAPL")
    assert str(part.dates[-1]) == "1999-12-31"
    assert part.values[-1].tolist() == prices.values[len(part.dates) - 1, [19, 0]].tolist()


def test_every_wrong_price_and_date_is_named_with_its_line_and_column(tmp_path: Path) -> None:
    """Missing, negative and infinite prices, words, short lines, dates that are none, come twice or go back: all at once."""
    rows = price_rows(100)
    rows[4][2], rows[5][1], rows[6][3], rows[7][1] = "", "-3", "inf", "n/a"
    rows[8][0], rows[10][0], rows[12][0] = "8 Jan", rows[9][0], rows[2][0]
    rows[14] = rows[14][:2]
    with pytest.raises(Malformed) as caught:
        read_prices(write_rows(tmp_path / "p.csv", rows))
    told = str(caught.value).splitlines()
    assert told[0] == f"{tmp_path / 'p.csv'}: 8 problems"
    assert (
        told[1]
        .strip()
        .startswith("line 5, column BBB: the price on 2007-01-04 is missing, but must be a number above 0; leave out")
    )
    assert [line.strip().split(":")[0] for line in told[2:5]] == ["line 6, column AAA", "line 7, column CCC", "line 8, column AAA"]
    assert "line 9: the date is '8 Jan', but must be as in 2022-12-28" in told[5]
    assert "line 11: 2007-01-09 is there twice" in told[6]
    assert "line 13: 2007-01-02 comes after 2007-01-11; dates must ascend" in told[7]
    assert "line 15: has 2 columns, but the header has 4" in told[8]


def test_a_file_full_of_problems_tells_twenty_of_them(tmp_path: Path) -> None:
    """Of a thousand missing prices the first are told, and how many more there are."""
    rows = price_rows(1000)
    for row in rows[1:]:
        row[1] = "nan"
    with pytest.raises(Malformed, match="1,000 problems") as caught:
        read_prices(write_rows(tmp_path / "p.csv", rows))
    assert str(caught.value).endswith("and 980 more")
    assert len(str(caught.value).splitlines()) == 22


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Date,AAA,BBB,AAA", "line 1: AAA is the name of columns 2 and 4; leave out one"),
        ("Date,AAA,,CCC", "line 1: column 3 has no name"),
        ("AAA,BBB,CCC,DDD", "line 1: begins with 'AAA', but the first column must be Date"),
        ("Date", "line 1: is 'Date', but must be 'Date,NAME,...', with a column a name"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: str, told: str) -> None:
    """Names must be there once each, behind a column of dates."""
    rows = [header.split(","), *price_rows(100)[1:]]
    with pytest.raises(Malformed) as caught:
        read_prices(write_rows(tmp_path / "p.csv", rows))
    assert told in str(caught.value)


def test_files_that_are_no_prices_are_refused(tmp_path: Path) -> None:
    """Too few dates, bytes that are no text, and half a gzip file each have an error of their own."""
    with pytest.raises(Malformed, match="has 20 dates, but at least 60 are needed"):
        read_prices(write_rows(tmp_path / "short.csv", price_rows(20)))
    (tmp_path / "binary.csv").write_bytes(b"Date,\xff\xfe")
    with pytest.raises(Malformed, match="is not text in UTF-8: byte 5 is 0xff"):
        read_prices(str(tmp_path / "binary.csv"))
    (tmp_path / "half.csv.gz").write_bytes(gzip.compress(b"Date,AAA\n" * 100)[:20])
    with pytest.raises(Malformed, match="cannot be decompressed"):
        read_prices(str(tmp_path / "half.csv.gz"))
