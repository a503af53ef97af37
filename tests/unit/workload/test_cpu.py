from __future__ import annotations

import pytest

from examples.workload.cpu import VARIABLE, _numpy_version, avoid_slow_sort, one_thread, sorts_slowly


def cpuinfo(vendor: str, family: int, flags: str) -> str:
    one = f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: 17\nflags\t\t: fpu {flags}\n"
    return f"{one}\n{one}"


ZEN_4 = cpuinfo("AuthenticAMD", 25, "avx2 avx512f avx512_vbmi2")


@pytest.mark.parametrize(
    ("numpy", "features"),
    [
        ("2.4.0", "X86_V4 AVX512_ICL AVX512_SPR"),
        ("2.10.1rc1", "X86_V4 AVX512_ICL AVX512_SPR"),
        ("2.1.3", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"),
    ],
)
def test_zen_4_sorts_without_avx_512(numpy: str, features: str) -> None:
    """On a Zen 4 numpy is told not to use AVX-512, by the names that its version has for it, and the user is told."""
    environ: dict[str, str] = {}
    told = avoid_slow_sort(ZEN_4, environ, numpy)
    assert environ == {VARIABLE: features}
    assert told == f"numpy's AVX-512 sort is slow on this CPU (AMD Zen 4): {VARIABLE}='{features}'"


@pytest.mark.parametrize(
    "text",
    [
        cpuinfo("GenuineIntel", 6, "avx2 avx512f"),
        cpuinfo("AuthenticAMD", 25, "avx2"),  # Zen 3
        cpuinfo("AuthenticAMD", 26, "avx2 avx512f"),  # Zen 5
        "processor\t: 0\nCPU implementer\t: 0x41\nFeatures\t: fp asimd sve\n",  # Graviton
        "",
    ],
)
def test_other_cpus_are_left_alone(text: str) -> None:
    """Intel, Zen 3, Zen 5, Arm and unknown CPUs use whatever numpy chooses."""
    environ: dict[str, str] = {}
    assert not sorts_slowly(text)
    assert avoid_slow_sort(text, environ) == ""
    assert environ == {}


@pytest.mark.parametrize("name", [VARIABLE, "NPY_ENABLE_CPU_FEATURES"])
def test_what_the_user_says_stands(name: str) -> None:
    """Who has chosen numpy's features already keeps them, on a Zen 4, too."""
    environ = {name: "AVX512_SPR"}
    assert avoid_slow_sort(ZEN_4, environ) == ""
    assert environ == {name: "AVX512_SPR"}


def test_too_late_is_said() -> None:
    """Where numpy is imported already, the sentence says that nothing was done."""
    import numpy as np

    assert np.__version__
    import os

    before = dict(os.environ)
    os.environ.pop(VARIABLE, None)
    try:
        assert "imported already" in avoid_slow_sort(ZEN_4)
        assert VARIABLE not in os.environ
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_version_of_numpy_is_found_without_importing_it() -> None:
    """The names of features depend on numpy's version, which its own file tells."""
    import numpy as np

    assert _numpy_version() == np.__version__


@pytest.mark.parametrize(
    ("environ", "after"),
    [
        ({}, {"OPENBLAS_NUM_THREADS": "1"}),
        ({"OPENBLAS_NUM_THREADS": "4"}, {"OPENBLAS_NUM_THREADS": "4"}),
        ({"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "2"}),  # as the agent sets it, from the job's cpus_per_rank
    ],
)
def test_a_rank_has_one_thread_unless_told_otherwise(environ: dict[str, str], after: dict[str, str]) -> None:
    """Neither the user's number of threads nor the job's is changed."""
    one_thread(environ)
    assert environ == after
