from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from examples.risk.numerics.provenance import digest, provenance
from examples.workload.communicator import Alone


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    """SHA-256 of the file as it is stored, larger than one chunk too."""
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(b"Date,A\n" + bytes(3 << 20)) + bytes(2 << 20))
    assert digest(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    """An OSError that holds the address."""
    with pytest.raises(OSError, match=r"nowhere.csv does not exist"):
        digest(str(tmp_path / "nowhere.csv"))


def test_what_made_a_result_is_told(tmp_path: Path) -> None:
    """Inputs with digests, seed, versions, and what the bits may depend on."""
    (tmp_path / "book.csv").write_text("underlying\n")
    told = provenance(Alone(), {"portfolio": str(tmp_path / "book.csv")}, 12)
    assert told["inputs"]["portfolio"]["sha256"] == hashlib.sha256(b"underlying\n").hexdigest()
    assert told["seed"] == 12
    assert {"numpy", "scipy", "batchhpc"} <= set(told["versions"])
    assert told["machine"]["extensions"]
    assert told["one kind of machine"] is True
