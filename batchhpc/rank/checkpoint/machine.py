"""What computed a checkpoint: bits may differ between kinds of processors and versions of numpy, and a resume then says so."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def this_machine() -> dict[str, str]:
    """What the bits of a result may depend on: numpy, its BLAS, the processor's vector extensions that numpy uses."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    extensions = built.get("SIMD Extensions", {})
    return {
        "numpy": np.__version__,
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "processor": platform.machine(),
        "extensions": " ".join([*extensions.get("baseline", []), *extensions.get("found", [])]),
    }


def together(machines: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """What all ranks' machines are: each property's different values."""
    merged: dict[str, set[str]] = {}
    for machine in machines:
        for name, value in machine.items():
            merged.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(merged.items())}


def differences(then: Mapping[str, list[str]], now: Mapping[str, list[str]]) -> str:
    """What differs, as text; empty if nothing does. Of vector extensions only those that one side lacks are named."""
    found = []
    for name in sorted({*then, *now}):
        before, after = then.get(name, []), now.get(name, [])
        if before == after:
            continue
        if name == "extensions":
            old, new = set(" ".join(before).split()), set(" ".join(after).split())
            lost, gained = " ".join(sorted(old - new)), " ".join(sorted(new - old))
            found.append(
                f"{name}: {f'without {lost}' if lost else ''}{', ' if lost and gained else ''}{f'with {gained}' if gained else ''}"
            )
        else:
            found.append(f"{name}: {', '.join(before) or 'unknown'} then, {', '.join(after) or 'unknown'} now")
    return "; ".join(found)
