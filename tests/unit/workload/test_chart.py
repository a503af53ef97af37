from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from examples.workload.chart import Axis, Chart, round_step

SVG = "{http://www.w3.org/2000/svg}"


def chart(*, log: bool = False) -> Chart:
    return Chart("A <title> & more", x=Axis("x in m", 0, 10), y=Axis("y", 1, 1000, log=log))


def parsed(of: Chart) -> ET.Element:
    return ET.fromstring(of.svg())  # noqa: S314 - our own text


def test_is_xml_with_titles_and_labels() -> None:
    """Whatever the words, the text is well-formed, and holds title, labels and ticks."""
    words = {text.text for text in parsed(chart(log=True)).iter(f"{SVG}text")}
    assert {"A <title> & more", "x in m", "y", "1", "10", "100", "1,000", "0", "8"} <= words


def test_points_are_within_the_axes_and_drawn_once() -> None:
    """Points at one place are one dot, and points beyond the axes are none."""
    of = chart()
    of.points(np.array([5.0, 5.0, 5.00001, 7.0, 11.0]), np.array([500.0, 500.0, 500.0, 2000.0, 5.0]))
    (path,) = [path for path in parsed(of).iter(f"{SVG}path") if path.get("class") == "points"]
    assert path.attrib["d"].count("M") == 1


def test_bars_show_even_one_of_a_million() -> None:
    """A bar above nothing is at least two pixels tall, one of nothing is not drawn, and a tall one ends at the edge."""
    of = chart()
    of.bars([0, 1, 2], [1, 2, 3], [1.0001, 0, 1e9], titles=["a", "b", "c"])
    tall = [float(bar.attrib["height"]) for bar in parsed(of).iter(f"{SVG}rect") if bar.get("fill") == "#3b6ea5"]
    assert tall[0] == pytest.approx(2)
    assert tall[1] == of.height - 44 - 52
    assert len(tall) == 2


def test_zero_is_at_the_foot_of_a_logarithmic_axis() -> None:
    """What has no logarithm is drawn at the lower end instead of failing."""
    of = chart(log=True)
    of.line([0, 1], [0.0, 10.0])
    (line,) = parsed(of).iter(f"{SVG}polyline")
    assert line.attrib["points"].split()[0].endswith(f",{of.height - 52:.1f}")


@pytest.mark.parametrize(("length", "step"), [(8, 1), (9, 2), (0.5, 0.1), (1000, 200), (0, 1)])
def test_steps_are_round(length: float, step: float) -> None:
    """At most eight steps of 1, 2 or 5 times a power of ten."""
    assert round_step(length) == pytest.approx(step)


def test_long_logarithmic_axes_skip_decades() -> None:
    """From 1e-300 to 1 there are few labels, written short."""
    labels = Axis("P", 1e-300, 1, log=True).labels()
    assert len(labels) <= 9
    assert labels[0] == (1e-300, "1e-300")
