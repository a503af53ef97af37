"""PLINK 1 filesets: genotypes in ``.bed``, variants in ``.bim``, samples in ``.fam``; local or in S3.

A ``.bed`` file is three bytes and one row per variant, four samples in a byte, the first in the lowest bits:
00 two A1 alleles, 10 one, 11 none, 01 missing. A1 is the fifth column of the ``.bim``, plink2's ALT.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from examples.workload.errors import Malformed
from examples.workload.files import Source, source

Packed = npt.NDArray[np.uint8]
_MAGIC, _SAMPLE_MAJOR = b"\x6c\x1b\x01", b"\x6c\x1b\x00"
_WORD = 8  # bytes: rows are padded to whole words, so that 32 genotypes are looked at at once
_SEX = {"1": 1, "2": 2}
_NAMED = {"X": 23, "Y": 24, "XY": 25, "M": 26, "MT": 26}
_AUTOSOMES = 22


@dataclass(frozen=True, slots=True)
class Samples:
    """The people, in the order of the ``.fam``.

    Attributes:
        fid, iid: family and individual.
        sex: 1 male, 2 female, 0 unknown.
        founder: without a known parent; plink2 takes allele frequencies of these.
        phenotype: sixth column, as text.
    """

    fid: list[str]
    iid: list[str]
    sex: npt.NDArray[np.int8]
    founder: npt.NDArray[np.bool_]
    phenotype: list[str]

    def __len__(self) -> int:
        return len(self.iid)


@dataclass(frozen=True)
class Variants:
    """The variants, in the order of the ``.bim``.

    Attributes:
        chrom: as plink2 prints it: 1 to 22, X, Y, XY, MT, or a name of its own.
        id: as in the file.
        pos: base pairs.
        cm: as text: morgans or centimorgans, 0 if unknown.
        a1, a2: alleles; plink2's ALT and REF.
    """

    chrom: list[str]
    id: list[str]
    cm: list[str]
    pos: npt.NDArray[np.int64]
    a1: list[str]
    a2: list[str]

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def autosomal(self) -> npt.NDArray[np.bool_]:
        """Whether each is on chromosomes 1 to 22."""
        known = {name: name.isdigit() and 1 <= int(name) <= _AUTOSOMES for name in set(self.chrom)}
        return np.fromiter((known[name] for name in self.chrom), np.bool_, len(self))

    @cached_property
    def diploid(self) -> npt.NDArray[np.bool_]:
        """Whether everybody has two copies: not on X, Y, MT, where plink2 has rules of their own."""
        known = {name: name not in {"X", "Y", "MT"} for name in set(self.chrom)}
        return np.fromiter((known[name] for name in self.chrom), np.bool_, len(self))


@dataclass(frozen=True)
class Fileset:
    """Genotypes of ``len(samples)`` people at ``len(variants)`` places.

    Attributes:
        prefix: path or ``s3://`` address without the ending.
        samples, variants: who and where.
        bed: the file of genotypes.
        versions: of the three files, by address; for a checkpoint's ``inputs``.
    """

    prefix: str
    samples: Samples
    variants: Variants
    bed: Source
    versions: dict[str, str]

    @classmethod
    def open(cls, prefix: str) -> Fileset:
        """Read samples and variants, and check the size of the genotypes.

        Raises:
            Malformed: one of the files is no PLINK file, or they do not belong together.
            OSError: one of them is not there.
        """
        bed, bim, fam = (source(f"{prefix}.{ending}") for ending in ("bed", "bim", "fam"))
        samples, variants = read_fam(fam), read_bim(bim)
        _check_bed(bed, samples, variants)
        return cls(prefix, samples, variants, bed, {file.address: file.version for file in (bed, bim, fam)})

    @property
    def row_bytes(self) -> int:
        """Bytes of one variant in the file."""
        return -(-len(self.samples) // 4)

    @property
    def width(self) -> int:
        """Samples of a row of `packed`, those that pad it included: a multiple of 32."""
        return -(-self.row_bytes // _WORD) * _WORD * 4

    def packed(self, first: int, last: int) -> Packed:
        """Genotypes of a range of variants, (last - first, width / 4); samples that pad a row have no A1 allele.

        Raises:
            Malformed: the file became shorter.
        """
        rows = np.empty((last - first, self.row_bytes), np.uint8)
        if self.bed.read_into(len(_MAGIC) + first * self.row_bytes, rows.reshape(-1).data) != rows.nbytes:
            raise Malformed(self.bed.address, "ends before it did when this run began", f"variant {first + 1}")
        padded = np.full((last - first, self.width // 4), 0xFF, np.uint8)
        padded[:, : self.row_bytes] = rows
        if used := len(self.samples) % 4:
            padded[:, self.row_bytes - 1] |= 0xFF << 2 * used & 0xFF
        return padded


def read_fam(file: Source) -> Samples:
    """Read a ``.fam``.

    Raises:
        Malformed: a line without six fields, or a person twice; or nobody.
    """
    rows = _rows(file)
    samples = Samples(
        [row[0] for row in rows],
        [row[1] for row in rows],
        np.array([_SEX.get(row[4], 0) for row in rows], np.int8),
        np.array([row[2] == "0" and row[3] == "0" for row in rows], np.bool_),
        [row[5] for row in rows],
    )
    seen: dict[tuple[str, str], int] = {}
    for line, person in enumerate(zip(samples.fid, samples.iid, strict=True), 1):
        if (before := seen.setdefault(person, line)) != line:
            raise Malformed(
                file.address, f"{person[0]} {person[1]} is in line {before} already; each person may be there once", f"line {line}"
            )
    return samples


def read_bim(file: Source) -> Variants:
    """Read a ``.bim``.

    Raises:
        Malformed: a line without six fields, or whose position is no whole number; or no line.
    """
    rows = _rows(file)
    try:
        pos = np.array([row[3] for row in rows]).astype(np.int64)
    except ValueError:
        line = next(number for number, row in enumerate(rows, 1) if not row[3].lstrip("-").isdigit())
        raise Malformed(file.address, f"the position {rows[line - 1][3]!r} is no whole number", f"line {line}") from None
    names = {name: _chromosome(name) for name in {row[0] for row in rows}}
    return Variants(
        [names[row[0]] for row in rows],
        [row[1] for row in rows],
        [sys.intern(row[2]) for row in rows],
        pos,
        [sys.intern(row[4]) for row in rows],
        [sys.intern(row[5]) for row in rows],
    )


def _chromosome(name: str) -> str:
    """As plink2 prints it: without ``chr``, those of sex and the mitochondrion by name."""
    short = name[3:] if name[:3].lower() == "chr" else name
    code = _NAMED.get(short.upper(), int(short) if short.isdigit() and int(short) <= _NAMED["MT"] else None)
    if code is None:
        return name
    return {23: "X", 24: "Y", 25: "XY", 26: "MT"}.get(code, str(code))


def _rows(file: Source) -> list[list[str]]:
    text = file.read(0, file.size)
    try:
        rows = [line.split() for line in text.decode().splitlines()]
    except UnicodeDecodeError as error:
        raise Malformed(file.address, "is not text", f"byte {error.start}") from None
    if not rows:
        raise Malformed(file.address, "is empty")
    for line, row in enumerate(rows, 1):
        if len(row) != 6:
            raise Malformed(file.address, f"has {len(row)} fields, but must have 6", f"line {line}")
    return rows


def _check_bed(bed: Source, samples: Samples, variants: Variants) -> None:
    magic = bed.read(0, len(_MAGIC))
    if magic == _SAMPLE_MAJOR:
        why = "is in sample-major mode; make it variant-major: plink --bfile OLD --make-bed --out NEW"
        raise Malformed(bed.address, why)
    if magic != _MAGIC:
        raise Malformed(bed.address, f"begins with {magic.hex(' ') or 'nothing'}, a PLINK 1 .bed with {_MAGIC.hex(' ')}")
    row = -(-len(samples) // 4)
    needed = len(_MAGIC) + len(variants) * row
    if bed.size != needed:
        raise Malformed(
            bed.address,
            f"has {bed.size:,} bytes, but {len(variants):,} variants of {len(samples):,} samples take"
            f" 3 + {len(variants):,} x {row:,} = {needed:,}; is it cut off, or do .bim and .fam belong to another file?",
        )
