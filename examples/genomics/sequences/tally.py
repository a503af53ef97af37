"""What was read so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Text = npt.NDArray[np.uint8]
_BLOCK = 1 << 17  # letters looked at at a time: all that is made of them stays in the second-level cache
_UPPER, _OF_GC = np.uint8(0xDF), np.uint8(0x02)  # bit 1 is set in C and G, and not in A and T


@dataclass(slots=True)
class Tally:
    """What was read so far.

    Attributes:
        sequences: FASTA sequences or FASTQ reads.
        bases: characters of sequence, whatever they are.
        invalid: those that are not A, C, G or T in either case.
        gc: those that are G or C.
        consumed: bytes of the files as they are stored.
    """

    sequences: int = 0
    bases: int = 0
    invalid: int = 0
    gc: int = 0
    consumed: int = 0

    def add(self, text: Text, sequences: int, bases: int) -> None:
        """Counts sequences of so many bases; the text may hold separators besides, which are none of A, C, G, T."""
        valid = 0
        for start in range(0, len(text), _BLOCK):
            letters = text[start : start + _BLOCK] & _UPPER
            at_least = letters == ord("A")
            for letter in b"CGT":
                at_least |= letters == letter
            valid += int(np.count_nonzero(at_least))
            letters &= _OF_GC
            self.gc += int(np.count_nonzero(letters.view(bool) & at_least))
        self.sequences += sequences
        self.bases += bases
        self.invalid += bases - valid
