"""How many different k-mers occur once, twice, ...: the k-mer spectrum, and what it tells about the genome."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.words import Counts

HIGHEST = 10_000  # as in `jellyfish histo`: all that is more frequent is gathered under HIGHEST + 1

Histogram = npt.NDArray[np.int64]


def histogram(counts: Counts) -> Histogram:
    """Number of k-mers by frequency: shape (`HIGHEST` + 2,), with nothing at 0."""
    return np.bincount(np.minimum(counts, HIGHEST + 1), minlength=HIGHEST + 2)


def as_jellyfish(spectrum: Histogram) -> str:
    """The text that ``jellyfish histo`` prints: frequency, blank, number of k-mers; only what occurs."""
    return "".join(f"{frequency} {spectrum[frequency]}\n" for frequency in np.flatnonzero(spectrum))


def valley(spectrum: Histogram) -> int:
    """The frequency below which k-mers are taken for errors; 1 if none are.

    In reads, errors make many k-mers that occur once or twice; behind that slope the numbers rise for the first time. If most
    occurrences are there, the slope was one of errors. In a finished genome they are not: nearly every k-mer occurs once.
    """
    told_apart = spectrum[: HIGHEST + 1]
    rises = np.flatnonzero(np.diff(told_apart[1:]) > 0) + 1
    volume = told_apart * np.arange(len(told_apart))
    if len(rises) and 2 * volume[rises[0] :].sum() > volume.sum():
        return int(rises[0])
    return 1


def peak(spectrum: Histogram) -> int:
    """The frequency of most k-mers of the sequenced molecule, its depth of sequencing; 0 if there is no k-mer."""
    first = valley(spectrum)
    return int(first + np.argmax(spectrum[first:])) if spectrum.any() else 0


def genome_size(spectrum: Histogram, total: int) -> int:
    """Bases of the genome: occurrences of k-mers, errors left aside, divided by the peak (Li & Waterman 2003); 0 if there is none.

    Args:
        spectrum: of all k-mers.
        total: occurrences of all k-mers.
    """
    errors = np.arange(valley(spectrum)) @ spectrum[: valley(spectrum)]
    depth = peak(spectrum)
    return round((total - int(errors)) / depth) if depth else 0
