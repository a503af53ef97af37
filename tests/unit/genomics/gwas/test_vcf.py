"""VCF files made into PLINK filesets."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.genotypes import count
from examples.genomics.gwas.vcf import Record, convert, pack, read_records, write_fileset
from examples.workload.errors import BadArguments, Malformed

HEADER = """##fileformat=VCFv4.2
##contig=<ID=1>
##contig=<ID=X>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\tben\tcyd\tdan\teve
"""
ROWS = [
    "1\t100\trs1\tG\tA\t.\t.\t.\tGT\t0/0\t0|1\t1/1\t./.\t0/.",
    "1\t200\trs2\tG\tA,T\t.\t.\t.\tGT\t0/0\t0/1\t1/2\t./.\t0/0",
    "1\t300\t.\tGT\tG\t.\t.\t.\tGT:DP\t1/1:3\t1/0:4\t0/0:5\t0/0:1\t0/0:9",
    "1\t400\trs4\tG\t.\t.\t.\t.\tGT\t0/0\t0/0\t0/0\t0/0\t0/0",
    "1\t500\trs5\tG\tA\t.\t.\t.\tDP\t1\t2\t3\t4\t5",
    "X\t600\trs6\tG\tA\t.\t.\t.\tGT\t0\t0/1\t1\t0/0\t1/1",
]


def write_vcf(tmp_path: Path, rows: list[str] = ROWS) -> str:
    path = tmp_path / "calls.vcf"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return str(path)


def convert_once(tmp_path: Path) -> tuple[str, Path, int]:
    """The VCF, the prefix of the fileset made of it, and the inode of its genotypes."""
    pytest.importorskip("cyvcf2")
    address, prefix = write_vcf(tmp_path), tmp_path / "study"
    convert(address, prefix)
    return address, prefix, prefix.with_suffix(".bed").stat().st_ino


def test_calls_are_packed_as_plink_packs_them():
    """Two copies of ALT are 00, one 10, none 11, missing 01, the first person lowest; half calls are missing, and counted."""
    alleles = np.array([[1, 1], [0, 1], [0, 0], [-1, -1], [0, -1]], np.int16)
    assert pack(alleles) == (bytes([0b01_11_10_00, 0b01]), 1)


def test_variants_that_a_fileset_cannot_hold_are_left_out_and_counted(tmp_path):
    """Several or no alternate alleles, no GT, and haploid or polyploid calls leave a variant out; each reason is counted."""
    diploid = np.zeros((3, 2), np.int16)
    haploid = np.array([[0, 1], [1, -2], [0, 0]], np.int16)
    records = [
        Record("1", 1, "a", "G", ("A",), diploid),
        Record("1", 2, "b", "G", ("A", "T"), diploid),
        Record("1", 3, "c", "G", (), diploid),
        Record("1", 4, "d", "G", ("A",), None),
        Record("1", 5, "e", "G", ("A",), haploid),
        Record("1", 6, "f", "G", ("A",), np.zeros((3, 1), np.int16)),
        Record("1", 7, "g", "G", ("A",), np.zeros((3, 4), np.int16)),
    ]
    made = write_fileset(tmp_path / "out", ["x", "y", "z"], records)
    assert made.left_out == {
        "with calls that are not diploid": 3,
        "with several alternate alleles": 1,
        "without GT": 1,
        "without an alternate allele": 1,
    }
    assert made.tell().startswith("1 variants of 3 people, 3 with calls that are not diploid left out, 1 with several")


def test_one_point_is_a_missing_call(tmp_path):
    """A call of one point (-1, then nothing) is a missing one, and its variant stays, as with plink2; also if all are."""
    records = [
        Record("1", 1, "some", "G", ("A",), np.array([[-1, -2], [1, 1], [0, 1]], np.int16)),
        Record("1", 2, "all", "G", ("A",), np.array([[-1], [-1], [-1]], np.int16)),
    ]
    made = write_fileset(tmp_path / "out", ["x", "y", "z"], records)
    assert (made.variants, made.left_out, made.half_calls) == (2, {}, 0)
    assert (tmp_path / "out.bed.partial").read_bytes()[3:] == bytes([0b10_00_01, 0b01_01_01])


def test_without_the_reader_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    """A run that needs cyvcf2 and does not have it ends with the command that installs it, and leaves nothing behind."""
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    with pytest.raises(BadArguments, match=r"pip install 'batchhpc\[vcf\]'"):
        convert(write_vcf(tmp_path), tmp_path / "out" / "study")
    assert not (tmp_path / "out").exists()


def test_a_file_in_s3_is_refused(tmp_path):
    """Only files on disks are converted, and the message says what to do instead."""
    with pytest.raises(BadArguments, match="copy it to a disk first"):
        convert("s3://bucket/calls.vcf.gz", tmp_path / "study")


def test_a_vcf_becomes_a_fileset(tmp_path):
    """Genotypes, ids, alleles (A1 is ALT) and people of a VCF are in the fileset; the rest is told."""
    pytest.importorskip("cyvcf2")
    made = convert(write_vcf(tmp_path), tmp_path / "out" / "study")
    fileset = Fileset.open(made.prefix)
    assert (fileset.samples.iid, fileset.samples.fid[0]) == (["ann", "ben", "cyd", "dan", "eve"], "0")
    assert (fileset.variants.id, fileset.variants.a1, fileset.variants.a2) == (["rs1", "."], ["A", "G"], ["G", "GT"])
    counts = count(fileset.packed(0, 2), 5)
    assert [each.tolist() for each in counts] == [[1, 1], [1, 1], [1, 3], [2, 0]]
    assert made.tell() == (
        "2 variants of 5 people, 1 with calls that are not diploid left out, 1 with several alternate alleles left out, "
        "1 without GT left out, 1 without an alternate allele left out, 1 half calls taken as missing"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["study.bed", "study.bim", "study.fam", "study.vcf.json"]


def test_the_same_file_is_converted_once(tmp_path):
    """A later run takes the fileset that is there; a file that has changed is converted again."""
    address, prefix, inode = convert_once(tmp_path)
    assert convert(address, prefix).variants == 2
    assert prefix.with_suffix(".bed").stat().st_ino == inode
    write_vcf(tmp_path, ROWS[:1])
    assert convert(address, prefix).variants == 1


@pytest.mark.parametrize("ending", ["bed", "bim", "fam"])
def test_a_fileset_that_is_not_whole_is_made_again(tmp_path, ending):
    """Files that a killed run did not come to, or that were deleted, are made again, not taken to be there."""
    address, prefix, _ = convert_once(tmp_path)
    file = prefix.with_suffix(f".{ending}")
    whole = file.read_bytes()
    file.unlink()
    assert convert(address, prefix).variants == 2
    assert file.read_bytes() == whole


@pytest.mark.parametrize("note", [None, "", "[]", '{"source": 1}', "\xff"])
def test_a_fileset_of_somebody_else_is_not_overwritten(tmp_path, note):
    """Files at the place of the fileset that no note of ours vouches for are refused by name, and stay."""
    pytest.importorskip("cyvcf2")
    own = tmp_path / "study.bed"
    own.write_bytes(b"years of work")
    if note is not None:
        (tmp_path / "study.vcf.json").write_text(note, encoding="latin-1")
    with pytest.raises(BadArguments, match=r"would overwrite .*study\.bed, not made of a VCF here"):
        convert(write_vcf(tmp_path), tmp_path / "study")
    assert own.read_bytes() == b"years of work"


def test_a_fileset_that_was_changed_is_not_overwritten(tmp_path):
    """A .fam that the user has given sexes since is neither replaced nor mixed with a new .bed."""
    address, prefix, inode = convert_once(tmp_path)
    fam = prefix.with_suffix(".fam")
    fam.write_text(fam.read_text().replace("0\t-9", "1\t-9") + "\n")
    with pytest.raises(BadArguments, match=r"study\.fam, not made of a VCF here or changed since"):
        convert(address, prefix)
    assert prefix.with_suffix(".bed").stat().st_ino == inode


def test_names_with_spaces_are_refused(tmp_path):
    """A person whose name has a space, which a .fam cannot hold, is named before anything is written."""
    pytest.importorskip("cyvcf2")
    path = tmp_path / "calls.vcf"
    path.write_text(HEADER.replace("ben", "ben 2") + ROWS[0] + "\n")
    with pytest.raises(Malformed, match="#CHROM line: names people 'ben 2': a fileset has no names with spaces"):
        convert(str(path), tmp_path / "study")
    assert [path.name for path in tmp_path.iterdir()] == ["calls.vcf"]


@pytest.mark.parametrize(
    ("end", "message"),
    [("", "ends within a line, after [0-9]+ bytes"), ("\n", "after variant 1:200 rs2: cannot be read")],
)
def test_a_vcf_that_is_cut_off_is_refused(tmp_path, end, message):
    """A last line that is not whole ends the conversion with the place, and no fileset."""
    pytest.importorskip("cyvcf2")
    address = write_vcf(tmp_path, ROWS[:3])
    Path(address).write_text(Path(address).read_text()[:-20] + end)
    with pytest.raises(Malformed, match=message):
        convert(address, tmp_path / "study")
    assert [path.name for path in tmp_path.iterdir()] == ["calls.vcf"]


def test_a_compressed_file_without_its_end_is_refused(tmp_path):
    """A BGZF file whose last block is missing is refused before it is read."""
    pytest.importorskip("cyvcf2")
    path = tmp_path / "calls.vcf.gz"
    packed = bytearray(gzip.compress(b"x"))
    packed[3] = 4  # an extra field, as in BGZF
    path.write_bytes(packed)
    with pytest.raises(Malformed, match="is it cut off"):
        read_records(str(path))


def test_what_is_no_vcf_is_refused(tmp_path):
    """A file of another kind is refused by name."""
    pytest.importorskip("cyvcf2")
    path = tmp_path / "calls.txt"
    path.write_text("nothing of this kind\n")
    with pytest.raises(Malformed, match="is no VCF or BCF"):
        convert(str(path), tmp_path / "study")
