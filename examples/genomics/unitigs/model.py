"""How many bytes compaction sends, and how long it takes, on many ranks.

Assumed: k-mers of random sequence in unitigs of one length; even bins, dealt out at random; and for `times` what `kmers.model`
assumes of the network. Links (64 bytes a unitig and more for each link) and the sizes that go before each message are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.model import MESSAGE, USABLE, Cluster
from examples.genomics.unitigs.chains import CUT_EVERY

COMPACT, PLACE = 230e-9, 40e-9  # seconds of a rank for each k-mer: bins and pieces; text and files
_KEY, _NAME, _VIEW, _LABEL, _LETTER = 8, 8, 24, 40, 1  # bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes for each k-mer that go from one rank to another.

    Attributes:
        joins: keys of ends that are away, their names, and who they are joined to (`graph`).
        pieces: who the ends of pieces are joined to (`pieces`).
        ranking: questions and answers of pointer doubling (`ranking`).
        letters: to the ranks that write (`assembly`).
    """

    joins: float
    pieces: float
    ranking: float
    letters: float

    @property
    def total(self) -> float:
        """Of all steps."""
        return self.joins + self.pieces + self.ranking + self.letters


def sent(k: int, unitig: int, ranks: int) -> Sent:
    """What is sent for each k-mer of unitigs of ``unitig`` k-mers."""
    windows, elsewhere = Scheme(k, 1).windows, (ranks - 1) / ranks
    away = 2 / windows  # ends of a k-mer whose junction has another minimizer: the first or the last m-mer was it
    crossing = 2 / (windows + 1) * elsewhere  # joins of neighbours in a unitig that have another rank
    pieces = 1 + (unitig - 1) * crossing  # of a unitig
    # In each round two views of every piece but the last few ask a piece so many pieces further on.
    rounds = range(math.ceil(math.log2(max(1.0, pieces))))
    asked = sum((pieces - 2**each) * _differs(2**each, ranks) for each in rounds)
    return Sent(
        joins=away * (_KEY + _NAME + _NAME) * elsewhere,
        pieces=2 * crossing * (_NAME + _NAME),
        ranking=2 * asked / unitig * (_NAME + _VIEW),
        letters=(_LETTER + pieces / unitig * _LABEL) * elsewhere,
    )


def _differs(steps: int, ranks: int) -> float:
    """How likely two pieces so far from each other in a unitig have different ranks.

    Neighbours do, but for the joins that `chains` leaves out; all other ranks are equally likely.
    """
    if ranks == 1:
        return 0.0
    stays = 1 / (CUT_EVERY * (ranks - 1) + 1)
    return (1 - 1 / ranks) * (1 - (stays - (1 - stays) / (ranks - 1)) ** steps)


def times(kmers: float, k: int, unitig: int, cluster: Cluster) -> tuple[float, float]:
    """Seconds of computing and of sending, counting left aside.

    Args:
        kmers: that occur often enough, of the whole input.
        k: their length.
        unitig: k-mers of a unitig.
        cluster: where.
    """
    own = kmers / cluster.ranks
    leaving = own * cluster.ranks_per_node * sent(k, unitig, cluster.ranks).total * (1 - cluster.ranks_per_node / cluster.ranks)
    messages = 6 + 2 * math.log2(max(2, unitig))  # the steps' own, and two a round
    return own * (COMPACT + PLACE), float(8 * leaving / (USABLE * cluster.network) + messages * cluster.ranks * MESSAGE)
