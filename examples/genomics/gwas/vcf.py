"""VCF and BCF files, plain or compressed, to a PLINK fileset: once, by one rank, before the analyses.

A1 is ALT, A2 is REF, and people have no family, as ``plink2 --vcf FILE --make-bed`` writes them. A fileset has hard calls of two
alleles in diploid people: variants with more alleles, none but REF, other ploidies or no GT are left out; half calls (``0/.``) are
missing, as is ``.`` alone. What is left out, and half calls, are told. The reader is cyvcf2 (htslib): it is kept up, has wheels for
Linux and macOS on both kinds of processors, and gives the calls of all people as one array, where pysam makes an object for each.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from examples.workload.errors import BadArguments, Malformed
from examples.workload.files import source

Alleles = npt.NDArray[np.int16]
_MAGIC = b"\x6c\x1b\x01"
_BGZF, _BGZF_END = b"\x1f\x8b\x08\x04", bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_CODES = np.array([1, 3, 2, 0], np.uint8)  # missing, then by copies of A1
_NOT_THERE = -2  # an allele of a call that has fewer than others
_ENDINGS = ("bed", "bim", "fam")


class Record(NamedTuple):
    """One variant.

    Attributes:
        chrom, pos, id, ref: as in the file.
        alts: all of them.
        alleles: (people, ploidy) indices of alleles; -1 missing, -2 not there; None without GT.
    """

    chrom: str
    pos: int
    id: str
    ref: str
    alts: Sequence[str]
    alleles: Alleles | None


@dataclass(frozen=True)
class Conversion:
    """A fileset that was made of a VCF.

    Attributes:
        prefix: of the fileset.
        people, variants: in it.
        left_out: variants that are not, by reason.
        half_calls: that became missing ones.
    """

    prefix: str
    people: int
    variants: int
    left_out: dict[str, int]
    half_calls: int

    def tell(self) -> str:
        """What was converted and what was not, in a sentence."""
        left_out = "".join(f", {number:,} {reason} left out" for reason, number in self.left_out.items())
        half = f", {self.half_calls:,} half calls taken as missing" if self.half_calls else ""
        return f"{self.variants:,} variants of {self.people:,} people{left_out}{half}"


def convert(address: str, prefix: Path) -> Conversion:
    """Make ``prefix``.bed, .bim, .fam and .vcf.json of a VCF or BCF; those of an earlier run if the file is the same.

    The note .vcf.json is written before the others get their names, and has their versions: what it does not know is not ours.

    Raises:
        BadArguments: cyvcf2 is not installed, the file is in S3, or a fileset is there that was not made here.
        Malformed: it is no VCF, or ends too early, or no variant of it can be used, or a person's name cannot be in a fileset.
        OSError: it is not there, or the fileset cannot be written.
    """
    if address.startswith("s3://"):
        raise BadArguments(
            [f"--vcf: {address} is in S3; copy it to a disk first, or convert it once: plink2 --vcf FILE --make-bed"]
        )
    version = source(address).version
    note = Path(f"{prefix}.vcf.json")
    known = _read_note(note)
    files = {ending: Path(f"{prefix}.{ending}") for ending in _ENDINGS}
    there = {ending: source(str(path)).version for ending, path in files.items() if path.exists()}
    if strange := [str(files[ending]) for ending, found in there.items() if known is None or found != known.files[ending]]:
        raise BadArguments(
            [f"--vcf: would overwrite {', '.join(strange)}, not made of a VCF here or changed since; move them away"]
        )
    if known and known.source == [address, version] and len(there) == len(files):
        return known.conversion
    partial = {path: Path(f"{path}.partial") for path in (note, *files.values())}
    people, records = read_records(address)
    try:
        made = write_fileset(prefix, people, records)
        if not made.variants:
            why = ", ".join(f"{number:,} {reason}" for reason, number in made.left_out.items()) or "it has none"
            raise Malformed(address, f"no variant can be used: {why}")
        versions = {ending: source(str(partial[path])).version for ending, path in files.items()}
        told = json.dumps({"source": [address, version], "files": versions, "conversion": vars(made)})
        partial[note].write_text(told + "\n", encoding="utf-8")
        for path in files.values():
            path.unlink(missing_ok=True)  # of another VCF: the new note does not know it
        for path, written in partial.items():
            written.replace(path)
    finally:
        for written in partial.values():
            written.unlink(missing_ok=True)
    return made


class _Note(NamedTuple):
    source: list[str]
    files: dict[str, str]
    conversion: Conversion


def _read_note(path: Path) -> _Note | None:
    """None if there is none, or it is not ours."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return _Note(told["source"], {ending: told["files"][ending] for ending in _ENDINGS}, Conversion(**told["conversion"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def read_records(address: str) -> tuple[list[str], Iterator[Record]]:
    """People, and variants as they come.

    Raises:
        BadArguments: cyvcf2 is not installed.
        Malformed: it is no VCF or BCF, has no people or names with spaces, or its end is missing.
    """
    try:
        cyvcf2: Any = importlib.import_module("cyvcf2")
    except ImportError:
        raise BadArguments(["--vcf: is read by cyvcf2, which is not installed; pip install 'batchhpc[vcf]'"]) from None
    _check_end(address)
    try:
        opened = cyvcf2.VCF(address, strict_gt=True)
    except Exception as error:  # noqa: BLE001 - cyvcf2 raises nothing more special
        raise Malformed(address, f"is no VCF or BCF that htslib reads ({error})") from None
    people = list(opened.samples)
    if not people:
        raise Malformed(address, "has no people, only sites")
    if spaced := [name for name in people if name.split() != [name]]:
        more = f" and {len(spaced) - 1:,} more" if len(spaced) > 1 else ""
        raise Malformed(
            address,
            f"names people {spaced[0]!r}{more}: a fileset has no names with spaces; bcftools reheader -s NAMES",
            "#CHROM line",
        )
    return people, _records(address, opened)


def _check_end(address: str) -> None:
    """What htslib only warns of, or does not see."""
    file = source(address)
    start, end = file.read(0, 4), file.read(max(0, file.size - len(_BGZF_END)), len(_BGZF_END))
    if start == _BGZF and end != _BGZF_END:
        raise Malformed(address, f"does not end as a BGZF file does, after {file.size:,} bytes; is it cut off?")
    if start.startswith(b"##") and not end.endswith(b"\n"):
        raise Malformed(address, f"ends within a line, after {file.size:,} bytes; is it cut off?")


def _records(address: str, opened: Any) -> Iterator[Record]:
    place = "header"
    try:
        for each in opened:
            place = f"variant {each.CHROM}:{each.POS} {each.ID or '.'}"
            has_calls = "GT" in each.FORMAT
            alleles = each.genotype.array()[:, :-1] if has_calls else None
            yield Record(each.CHROM, each.POS, each.ID or ".", each.REF, tuple(each.ALT), alleles)
    except Exception as error:  # noqa: BLE001 - likewise
        raise Malformed(address, f"cannot be read on ({error}); is it cut off?", f"after {place}") from None


def write_fileset(prefix: Path, people: Sequence[str], records: Iterable[Record]) -> Conversion:
    """Write ``prefix``.bed.partial, .bim.partial and .fam.partial."""
    left_out: Counter[str] = Counter()
    variants = half_calls = 0
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{prefix}.bed.partial").open("wb") as bed, Path(f"{prefix}.bim.partial").open("w", encoding="utf-8") as bim:
        bed.write(_MAGIC)
        for record in records:
            if reason := _unfit(record):
                left_out[reason] += 1
                continue
            assert record.alleles is not None  # `_unfit` says so
            row, half = pack(_two(record.alleles))
            bed.write(row)
            bim.write(f"{record.chrom}\t{record.id}\t0\t{record.pos}\t{record.alts[0]}\t{record.ref}\n")
            variants, half_calls = variants + 1, half_calls + half
    fam = "".join(f"0\t{person}\t0\t0\t0\t-9\n" for person in people)
    Path(f"{prefix}.fam.partial").write_text(fam, encoding="utf-8")
    return Conversion(str(prefix), len(people), variants, dict(sorted(left_out.items())), half_calls)


def _unfit(record: Record) -> str:
    """Why a variant is left out; empty if it is not."""
    if len(record.alts) > 1:
        return "with several alternate alleles"
    if not record.alts:
        return "without an alternate allele"
    if record.alleles is None:
        return "without GT"
    first, second = _two(record.alleles).T
    haploid = (first >= 0) & (second == _NOT_THERE)
    return "with calls that are not diploid" if record.alleles.shape[1] > 2 or haploid.any() else ""


def _two(alleles: Alleles) -> Alleles:
    """The first two of each call, (people, 2): where all calls have one, the second is not there."""
    return np.pad(alleles, ((0, 0), (0, max(0, 2 - alleles.shape[1]))), constant_values=_NOT_THERE)[:, :2]


def pack(alleles: Alleles) -> tuple[bytes, int]:
    """A row of a .bed, and how many calls know one allele only.

    Args:
        alleles: (people, 2) with 0 for REF, 1 for ALT, below 0 if missing.
    """
    unknown = (alleles < 0).sum(axis=1)
    copies = np.where(unknown > 0, -1, alleles.sum(axis=1))
    codes = np.zeros((-(-len(copies) // 4), 4), np.uint8)
    codes.reshape(-1)[: len(copies)] = _CODES[copies + 1]
    codes <<= np.array([0, 2, 4, 6], np.uint8)
    return np.bitwise_or.reduce(codes, axis=1).tobytes(), int((unknown == 1).sum())
