from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchhpc.compiler import compile_job
from batchhpc.spec import JobSpec
from tests.contract.golden.regenerate import compiled, names

ROOT = Path(__file__).parents[2]
_PROGRAM = (
    "from tests.contract.golden.regenerate import compiled, names\n"
    "for name in names('good'):\n"
    "    print(compiled(name).to_json())\n"
)


def test_twice_the_same_bytes():
    """Compiling a spec twice gives the same bytes."""
    for name in names("good"):
        assert compiled(name).to_json() == compiled(name).to_json()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_same_bytes_in_every_process(seed):
    """The bytes do not depend on the process or on its hash seed."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "".join(f"{compiled(name).to_json()}\n" for name in names("good"))


def test_the_order_in_which_a_user_writes_does_not_matter():
    """Specs that are equal compile to the same bytes, in whatever order their mappings were written."""
    data = {"name": "a", "image": "i", "command": "c", "nodes": 2}
    one = JobSpec.from_data({**data, "env": {"A": "1", "B": "2"}, "tags": {"x": "1", "y": "2"}})
    two = JobSpec.from_data({**data, "env": {"B": "2", "A": "1"}, "tags": {"y": "2", "x": "1"}})
    assert compile_job(one).to_json() == compile_job(two).to_json()
