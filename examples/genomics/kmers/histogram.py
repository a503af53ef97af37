"""How many different k-mers occur once, twice, ...: the k-mer spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.kernel import Counts

HIGHEST = 10_000  # as in `jellyfish histo`: all that is more frequent is gathered under HIGHEST + 1

Histogram = npt.NDArray[np.int64]


def histogram(counts: Counts) -> Histogram:
    """Number of k-mers by frequency: shape (`HIGHEST` + 2,), with nothing at 0."""
    return np.bincount(np.minimum(counts, HIGHEST + 1), minlength=HIGHEST + 2)


def as_jellyfish(spectrum: Histogram) -> str:
    """The text that ``jellyfish histo`` prints: frequency, blank, number of k-mers; only what occurs."""
    return "".join(f"{frequency} {spectrum[frequency]}\n" for frequency in np.flatnonzero(spectrum))


def peak(spectrum: Histogram) -> int:
    """The frequency of most k-mers of the sequenced molecule; 0 if there is no k-mer.

    In reads, errors make many k-mers that occur once or twice; behind that slope lies the peak whose place is the depth of
    sequencing. The peak is the highest point after the first rise, if most occurrences are there. In a finished genome
    they are not: nearly every k-mer occurs once, and the peak is the highest point of all.
    """
    rises = np.flatnonzero(np.diff(spectrum[1:]) > 0) + 1
    volume = spectrum * np.arange(len(spectrum))
    if len(rises) and 2 * volume[rises[0] :].sum() > volume.sum():
        return int(rises[0] + np.argmax(spectrum[rises[0] :]))
    return int(np.argmax(spectrum))
