"""How many bytes the exchange of super-k-mers sends, and how long it takes, on many ranks.

Assumed: minimizers of random sequence, so that a new super-k-mer begins at each sequence's start and then, for W m-mers in a
k-mer, at 2 of W + 1 positions; even bins; every rank reads as much; one message from each rank to each other in each round; a
network that gives a node `USABLE` of its rate while all ranks send, and a rank that takes `MESSAGE` for each message.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.superkmers import most_kmers, words_of_record

USABLE = 0.7  # of the network's rate, in an all-to-all
MESSAGE = 2e-6  # seconds of a rank for each message, however small
SCAN, COUNT = 12e-9, 17e-9  # seconds of a rank for each k-mer


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes of one kind: how many ranks each, and the rate of its network in bits a second."""

    ranks: int
    ranks_per_node: int
    network: float


def bytes_per_kmer(k: int, length: float = math.inf) -> float:
    """Bytes of super-k-mers for each k-mer of sequences of ``length`` bases."""
    kmers, rate = length - k + 1, _records_a_position(Scheme(k, 1).windows, most_kmers(k))
    return 8 * words_of_record(k) * (rate + (1 - rate) / kmers)


def _records_a_position(windows: int, most: int) -> float:
    """Of an endless sequence; 2 / (W + 1) where all super-k-mers fit into a record.

    An m-mer is the least of all between its i-th on the left and its j-th on the right with probability 1 / (i + j - 1), wherefrom
    follows how often it is the minimizer of L k-mers in a row.
    """

    def least(among: int) -> float:
        return 1 / among

    records = least(2 * windows - 1) * -(-windows // most)
    for kmers in range(1, windows):
        n = windows + kmers - 1
        both = (windows - 1 - kmers) * (least(n) - 2 * least(n + 1) + least(n + 2))  # a smaller m-mer ends it on either side
        one = 2 * (least(n) - least(n + 1))  # or on one side, and on the other it leaves the k-mer
        records += (both + one) * -(-kmers // most)
    return records


def sent_by_rank(kmers: float, k: int, ranks: int, length: float = math.inf) -> float:
    """Bytes that one of ``ranks`` ranks sends to others: those of its share of the k-mers, but not what is for its own bins."""
    return kmers / ranks * bytes_per_kmer(k, length) * (ranks - 1) / ranks


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each step; the exchange goes on during the scan."""

    scan: float
    exchange: float
    count: float

    @property
    def total(self) -> float:
        """What a run takes, reading and start left aside."""
        return max(self.scan, self.exchange) + self.count

    @property
    def efficiency(self) -> float:
        """Which part of it is work that one rank would do, too."""
        return (self.scan + self.count) / self.total


def times(kmers: float, k: int, length: float, cluster: Cluster, rounds: int) -> Times:
    """How long a run takes.

    Args:
        kmers: of the whole input.
        k: their length.
        length: of a read.
        cluster: where.
        rounds: how often each rank reads.
    """
    own = kmers / cluster.ranks
    # What stays within the node does not use the network.
    leaving = sent_by_rank(kmers, k, cluster.ranks, length) * cluster.ranks_per_node * (1 - cluster.ranks_per_node / cluster.ranks)
    on_the_wire = 8 * leaving / (USABLE * cluster.network)
    messages = rounds * cluster.ranks * MESSAGE
    return Times(own * SCAN, on_the_wire + messages, own * COUNT)
