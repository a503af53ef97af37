"""Which CPU features and how many threads numpy had better use; to be asked before it is imported, so standard library only.

On AMD's Zen 4 (hpc7a, m7a, c7a, r7a) numpy's AVX-512 sort writes with the memory form of ``vpcompress``, which is microcoded there:
sorting uint64 takes 37-51 ns an element, and 8-11 ns with the AVX2 sort (measured: an EPYC of family 25, model 17; numpy 2.4.6).
Sources: github.com/numpy/x86-simd-sort issue 6; AMD's Software Optimization Guide for Zen 4 (57647), 2.11.2. Zen 5 is family 26.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "NPY_DISABLE_CPU_FEATURES"
_ZEN_3_AND_4 = "25"  # the family; of the two only Zen 4 has AVX-512
_SINCE_2_4 = "X86_V4 AVX512_ICL AVX512_SPR"  # numpy 2.4 named its groups of features anew
_BEFORE_2_4 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"


def one_thread(environ: MutableMapping[str, str] = os.environ) -> None:
    """Keep BLAS to one thread a rank, unless the user has said how many it may have.

    Ranks share the processors already. Many small products in several threads take many times the CPU time, for the threads
    wait for one another busily; and another number of threads may mean other last bits.
    """
    if "OMP_NUM_THREADS" not in environ:
        environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def avoid_slow_sort(cpuinfo: str | None = None, environ: MutableMapping[str, str] = os.environ, numpy: str | None = None) -> str:
    """Keep numpy from sorting with AVX-512 where that is slow, unless the user has said which features it may use.

    Args:
        cpuinfo: text of /proc/cpuinfo; this machine's if None.
        environ: where numpy looks for the variable.
        numpy: its version; the installed one if None.

    Returns:
        A sentence that says what was done; empty if nothing was.
    """
    if not sorts_slowly(_cpuinfo() if cpuinfo is None else cpuinfo) or VARIABLE in environ or "NPY_ENABLE_CPU_FEATURES" in environ:
        return ""
    if environ is os.environ and "numpy" in sys.modules:
        return f"numpy's AVX-512 sort is slow on this CPU (AMD Zen 4), and numpy is imported already: set {VARIABLE}"
    major, minor = (int(part) for part in (numpy or _numpy_version()).split(".")[:2])
    environ[VARIABLE] = _SINCE_2_4 if (major, minor) >= (2, 4) else _BEFORE_2_4
    return f"numpy's AVX-512 sort is slow on this CPU (AMD Zen 4): {VARIABLE}={environ[VARIABLE]!r}"


def sorts_slowly(cpuinfo: str) -> bool:
    """Whether /proc/cpuinfo describes a Zen 4."""
    first = cpuinfo.partition("\n\n")[0]
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    is_amd = facts.get("vendor_id") == "AuthenticAMD"
    return is_amd and facts.get("cpu family") == _ZEN_3_AND_4 and "avx512f" in facts.get("flags", "").split()


def _numpy_version() -> str:
    """As its own file says, without importing it; importlib.metadata takes 30 ms."""
    found = find_spec("numpy")
    file = Path(found.origin).with_name("version.py") if found and found.origin else None
    match = re.search(r'^version = "([^"]+)"', file.read_text(encoding="utf-8"), re.MULTILINE) if file and file.exists() else None
    return match[1] if match else "2.4"


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="ascii", errors="replace") if path.exists() else ""
