"""Phenotypes and covariates: text tables with a header, joined to the people of the ``.fam`` by their ids.

The first line names the columns: ``#FID IID ...``, ``#IID ...``, or the same without ``#``; fields are separated by blanks or tabs.
``NA``, ``nan`` and -9 are missing, as in plink2. A phenotype whose values are all 0, 1 and 2 is case/control: 2 case, 1 control, 0
missing. People whom the table does not have are missing; lines of other people are counted and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.bed import Samples
from examples.workload.errors import Malformed
from examples.workload.files import source

Column = npt.NDArray[np.float64]
MISSING = -9.0
_NOT_KNOWN = {"na", "nan", "."}
_SHOWN = 3


@dataclass(frozen=True)
class Table:
    """A table in the order of the ``.fam``.

    Attributes:
        address: where it was read.
        version: of the file; for a checkpoint's ``inputs``.
        columns: by name: (samples,), nan if missing.
        matched: people who have a line.
        others: lines of people who are not in the ``.fam``.
    """

    address: str
    version: str
    columns: dict[str, Column]
    matched: int
    others: int


def read_table(address: str, samples: Samples, wanted: Sequence[str] = ()) -> Table:
    """Read the wanted columns, all if none is named.

    Raises:
        Malformed: with line and column; or none of its people is in the ``.fam``, or a wanted column is not there.
        OSError: it is not there.
    """
    file = source(address)
    try:
        lines = file.read(0, file.size).decode("utf-8-sig").splitlines()  # some editors put a byte-order mark first
    except UnicodeDecodeError as error:
        raise Malformed(address, "is not text in UTF-8", f"byte {error.start}") from None
    ids, names = _header(address, lines)
    chosen = _choose(address, names, wanted)
    place = _places(samples, ids, address)
    values = np.full((len(samples), len(chosen)), np.nan)
    seen: dict[tuple[str, ...], int] = {}
    strangers: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != ids + len(names):
            raise Malformed(address, f"has {len(cells)} fields, but the header has {ids + len(names)}", f"line {number}")
        person = tuple(cells[:ids])
        if (before := seen.setdefault(person, number)) != number:
            raise Malformed(address, f"{' '.join(person)} is in line {before} already", f"line {number}")
        if (row := place.get(person)) is None:
            strangers.append(" ".join(person))
            continue
        values[row] = [_value(address, cells[ids + at], number, names[at]) for at in chosen]
    matched = len(seen) - len(strangers)
    if not matched:
        fam = [" ".join((samples.fid[at], samples.iid[at])[-ids:]) for at in range(min(_SHOWN, len(samples)))]
        raise Malformed(
            address,
            f"none of its {len(seen):,} people is among the {len(samples):,} of the .fam; "
            f"it has {_some(strangers)}, the .fam has {_some(fam)} ({'family and individual' if ids == 2 else 'individual'})",
        )
    columns = {names[at]: values[:, index] for index, at in enumerate(chosen)}
    return Table(address, file.version, columns, matched, len(strangers))


def own_phenotype(samples: Samples, address: str) -> Table:
    """The sixth column of the ``.fam``, which plink2 calls PHENO1.

    Raises:
        Malformed: a value that is no number.
    """
    values = [_value(address, text, line, "phenotype") for line, text in enumerate(samples.phenotype, 1)]
    return Table(address, "", {"PHENO1": np.array(values)}, len(samples), 0)


def case_control(values: Column) -> Column | None:
    """0 for controls, 1 for cases, nan if missing; None if this is a quantitative phenotype."""
    known = values[~np.isnan(values)]
    if not np.isin(known, (0, 1, 2)).all() or not (known > 0).any():
        return None
    return np.where(values > 0, values - 1, np.nan)


def _header(address: str, lines: list[str]) -> tuple[int, list[str]]:
    """How many columns are ids, and the names of the others."""
    if not lines:
        raise Malformed(address, "is empty")
    first = lines[0].removeprefix("#").split()
    ids = 2 if first[:2] == ["FID", "IID"] else 1 if first[:1] == ["IID"] else 0
    if not ids:
        shown = " ".join(lines[0].split()[:4])
        raise Malformed(
            address, f"must begin with a header, '#FID IID NAME ...' or '#IID NAME ...', but begins with {shown!r}", "line 1"
        )
    names = first[ids:]
    if not names:
        raise Malformed(address, "has no columns besides ids", "line 1")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Malformed(address, f"names {', '.join(twice)} twice", "line 1")
    return ids, names


def _choose(address: str, names: list[str], wanted: Sequence[str]) -> list[int]:
    if absent := [name for name in wanted if name not in names]:
        raise Malformed(address, f"has no column {', '.join(absent)}; it has {', '.join(names)}", "line 1")
    return [names.index(name) for name in wanted] if wanted else list(range(len(names)))


def _places(samples: Samples, ids: int, address: str) -> dict[tuple[str, ...], int]:
    if ids == 2:
        return {person: row for row, person in enumerate(zip(samples.fid, samples.iid, strict=True))}
    places: dict[tuple[str, ...], int] = {(iid,): row for row, iid in enumerate(samples.iid)}
    if len(places) < len(samples):
        raise Malformed(
            address, "has individual ids only, but in the .fam some occur in several families; add a column FID", "line 1"
        )
    return places


def _value(address: str, text: str, line: int, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        if text.lower() in _NOT_KNOWN:
            return np.nan
        raise Malformed(address, f"{text!r} is no number; missing values are NA or -9", f"line {line}, column {name}") from None
    if np.isinf(value):
        raise Malformed(address, f"{text} is not finite", f"line {line}, column {name}")
    return np.nan if value == MISSING else value


def _some(people: list[str]) -> str:
    return ", ".join(people[:_SHOWN]) + (", ..." if len(people) > _SHOWN else "")
