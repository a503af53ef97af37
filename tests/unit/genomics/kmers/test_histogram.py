from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from examples.genomics.kmers.histogram import HIGHEST, Histogram, as_jellyfish, genome_size, histogram, peak, valley
from examples.genomics.kmers.plot import svg

_SVG = "{http://www.w3.org/2000/svg}"


def of(frequencies: dict[int, int]) -> Histogram:
    return histogram(np.repeat(np.fromiter(frequencies, np.int64), list(frequencies.values())))


def test_all_beyond_the_highest_share_one_line() -> None:
    """As in `jellyfish histo` (seen with 2.3.0), 10000 has its own line and all that is more frequent is under 10001."""
    assert as_jellyfish(of({1: 3, 7: 1, HIGHEST: 2, HIGHEST + 1: 1, 10**9: 4})) == "1 3\n7 1\n10000 2\n10001 5\n"


def test_nothing_counted_is_an_empty_histogram() -> None:
    """Without k-mers there is no line, no peak, and still a picture."""
    empty = histogram(np.empty(0, np.int64))
    assert (as_jellyfish(empty), peak(empty)) == ("", 0)
    ET.fromstring(svg(empty, 31))  # noqa: S314 - our own text


@pytest.mark.parametrize(
    ("frequencies", "expected"),
    [
        ({1: 900, 2: 60, 3: 5, 4: 20, 5: 80, 6: 120, 7: 90, 8: 20}, 6),  # reads: errors, valley, depth
        ({1: 4800, 2: 27, 3: 3, 4: 8, 5: 5}, 1),  # a genome: a rise among repeats is not its peak
        ({1: 10}, 1),
        ({5: 10}, 5),
    ],
)
def test_peak_is_the_depth_in_reads_and_one_in_a_genome(frequencies: dict[int, int], expected: int) -> None:
    """Errors that occur once do not hide the depth of sequencing; a few repeats do not make one."""
    assert peak(of(frequencies)) == expected


def test_errors_do_not_count_for_the_size_of_the_genome() -> None:
    """What lies before the first rise is left aside: 20 + 80 + 120 + 90 + 20 k-mers at a depth of 6, and nothing else."""
    frequencies = {1: 900, 2: 60, 3: 5, 4: 20, 5: 80, 6: 120, 7: 90, 8: 20}
    total = sum(frequency * number for frequency, number in frequencies.items())
    assert valley(of(frequencies)) == 3
    assert genome_size(of(frequencies), total) == round((total - 900 - 2 * 60) / 6)


def test_size_of_a_finished_genome_is_its_kmers() -> None:
    """Where nearly every k-mer occurs once, the estimate is the number of all k-mers, those beyond the histogram's end included."""
    assert genome_size(of({1: 4_800, 2: 27, HIGHEST + 1: 1}), 4_800 + 54 + 70_000) == 74_854
    assert genome_size(of({}), 0) == 0


@pytest.mark.parametrize("frequencies", [{1: 1}, {1: 4_807_909, 2: 27_478, 32: 1}, {9_000: 17}, {20_000: 5}])
def test_picture_is_well_formed_and_has_one_bar_a_frequency(frequencies: dict[int, int]) -> None:
    """The SVG parses, and within the range shown each frequency that occurs has one bar inside the picture."""
    root = ET.fromstring(svg(of(frequencies), 31))  # noqa: S314 - our own text
    bars = [rect for rect in root.iter(f"{_SVG}rect") if rect.find(f"{_SVG}title") is not None]
    assert len(bars) == sum(frequency <= 20 or frequency == 9_000 for frequency in frequencies)
    assert all(float(bar.attrib["y"]) >= 0 and float(bar.attrib["height"]) >= 2 for bar in bars)
