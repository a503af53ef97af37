from __future__ import annotations

import numpy as np
import pytest

from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.model import Cluster, bytes_per_kmer, sent_by_rank, times
from examples.genomics.kmers.superkmers import Scanner


@pytest.mark.parametrize(("k", "length"), [(15, 150), (21, 150), (31, 100), (31, 150), (31, 10_000), (61, 150)])
def test_bytes_are_those_of_random_reads(k: int, length: int) -> None:
    """For reads of random sequence the records take the bytes that the model states, to 2 %."""
    reads = np.random.default_rng(k).choice(np.frombuffer(b"ACGT", np.uint8), (500_000 // length, length + 1))
    reads[:, -1] = ord("\n")
    records = Scanner(Scheme(k, 64)).scan(reads.reshape(-1)).records
    assert records.nbytes / (len(reads) * (length - k + 1)) == pytest.approx(bytes_per_kmer(k, length), rel=0.02)


def test_one_rank_sends_nothing_and_many_send_nearly_all() -> None:
    """What a rank keeps is its own bins' share of what it reads: all of it, half of it, a thousandth."""
    alone = bytes_per_kmer(31, 150) * 1e9
    assert [sent_by_rank(1e9, 31, ranks, 150) * ranks / alone for ranks in (1, 2, 1000)] == pytest.approx([0, 0.5, 0.999])


def test_faster_network_hides_the_exchange_behind_the_scan() -> None:
    """A human genome 30 times on 1,000 ranks: at 300 Gbps the exchange takes less than the scan, at 100 Gbps it does not."""
    slow, fast = (times(74e9, 31, 150, Cluster(1000, 96, rate), rounds=12) for rate in (100e9, 300e9))
    assert slow.exchange > slow.scan == fast.scan > fast.exchange
    assert (round(slow.total, 1), round(slow.efficiency, 2)) == (2.4, 0.88)
    assert (round(fast.total, 1), fast.efficiency) == (2.1, 1)


def test_one_node_uses_no_network() -> None:
    """Where all ranks share a node, only the messages themselves take time."""
    assert times(1e9, 31, 150, Cluster(96, 96, 100e9), rounds=1).exchange == pytest.approx(96 * 2e-6)
