"""Memory and time: written as people write them, kept exact."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchhpc.spec import Duration, Memory, Rate


@given(st.integers(0, 2**50))
def test_memory_round_trip(count: int) -> None:
    """The text of any amount of memory reads back as the same amount."""
    assert Memory.parse(str(Memory(count))) == count


@given(st.integers(0, 10**12))
def test_duration_round_trip(count: int) -> None:
    """The text of any length of time reads back as the same length."""
    assert Duration.parse(str(Duration(count))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("56 GiB", 56 * 2**30), ("56GiB", 56 * 2**30), ("1.5 GB", 1_500_000_000), ("0.5 KiB", 512), ("512 mib", 512 * 2**20),
        ("1 TiB", 2**40), ("7 B", 7), (" 2 KB ", 2000),
    ],
)  # fmt: skip
def test_memory(text: str, count: int) -> None:
    """Binary and decimal units mean what they say, in any case and with or without a blank."""
    assert Memory.parse(text) == count


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30m", 1_800_000), ("30min", 1_800_000), ("1h30m", 5_400_000), ("1h 30m", 5_400_000), ("2.5s", 2500), ("2d", 172_800_000),
        ("1:30:00", 5_400_000), ("100:00:01", 360_001_000), ("2500ms", 2500), ("0s", 0),
    ],
)  # fmt: skip
def test_duration(text: str, milliseconds: int) -> None:
    """Times are read as people and Slurm write them."""
    assert Duration.parse(text) == milliseconds


@pytest.mark.parametrize(
    "value", ["56", 56, 5.6, "GiB", "56 GiBs", "-1 GiB", "1e3 B", "0.1 B", "", "1 GiB 2 MiB", True, None, "56 Gi"]
)
def test_memory_refused(value: object) -> None:
    """An amount without unit, with a wrong one, or of a fraction of a byte is refused."""
    with pytest.raises(ValueError, match=r"has no unit|is not"):
        Memory.parse(value)


@pytest.mark.parametrize("value", ["90", 90, "1:30", "1h30", "-5s", "soon", "", "0.1ms", "1:60:00", True, None])
def test_duration_refused(value: object) -> None:
    """A time without unit, an ambiguous clock time, or a fraction of a millisecond is refused."""
    with pytest.raises(ValueError, match=r"has no unit|is not"):
        Duration.parse(value)


def test_exact() -> None:
    """Fractions of the units that AWS wants are exact, so that nothing is rounded before a rule has seen it."""
    assert Memory.parse("1 GB").mib == Fraction(10**9, 2**20)
    assert Duration.parse("2.5s").seconds == Fraction(5, 2)


@given(st.integers(1, 10**9), st.integers(0, 9), st.sampled_from("hd"))
def test_rate_round_trip(digits: int, places: int, unit: str) -> None:
    """The text of any rate reads back as the same rate."""
    rate = Rate.parse(f"{digits / 10**places:.{places}f}/{unit}")
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize(
    ("text", "per_hour", "written"),
    [("0.02/h", "1/50", "0.02/h"), ("0.1 / d", "1/240", "0.1/d"), (" 3/h", "3", "3/h"), ("12/d", "1/2", "0.5/h")],
)
def test_rate(text: str, per_hour: str, written: str) -> None:
    """A rate is kept exact, and written per hour, or per day where that has no end."""
    assert Rate.parse(text) == Fraction(per_hour)
    assert str(Rate.parse(text)) == written


@pytest.mark.parametrize("value", ["0.02", 0.02, "0/h", "-1/h", "1/m", "1/w", "5%/month", "/h", "", True, None, "1 h"])
def test_rate_refused(value: object) -> None:
    """A rate without unit, of nothing, or per a length of time that is not always as long is refused."""
    with pytest.raises(ValueError, match="is not how often"):
        Rate.parse(value)
