"""Whole runs with polygenic scores and with VCF files."""

from __future__ import annotations

import json

import pytest

from examples.genomics.gwas.__main__ import main
from examples.workload.communicator import Alone
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset


def test_a_run_writes_scores_and_tells_of_them(tmp_path, capsys):
    """Scores are a file of their own; the table and run.json tell what was scored and what was left out."""
    prefix = write_fileset(tmp_path / "study", random_genotypes(5, 9))
    weights = tmp_path / "weights"
    weights.write_text("ID A1 risk\nv1 A 0.5\nv2 G -1\nrs9 A 1\n")
    assert main(Alone(), ["--bfile", prefix, "--score", str(weights), "--out", str(tmp_path / "out")]) == 0
    assert "risk from 2 lines, 1 of unknown variants left out" in capsys.readouterr().out
    assert len((tmp_path / "out" / "gwas.sscore").read_text().splitlines()) == 10
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["scores"] == {
        "names": ["risk"],
        "variants": 2,
        "lines left out": {"of unknown variants": 1},
        "lines of ambiguous strand": 0,
    }


def test_genotypes_have_one_source(tmp_path, capsys):
    """A fileset and a VCF together are refused, and so is neither."""
    prefix = write_fileset(tmp_path / "study", random_genotypes(5, 9))
    vcf = tmp_path / "calls.vcf"
    vcf.write_text("##fileformat=VCFv4.2\n")
    assert main(Alone(), ["--bfile", prefix, "--vcf", str(vcf), "--freq", "--out", str(tmp_path / "out")]) == 2
    assert "--bfile: and --vcf are two sources of genotypes" in capsys.readouterr().err
    assert main(Alone(), ["--freq", "--out", str(tmp_path / "out")]) == 2
    assert "--bfile: is missing" in capsys.readouterr().err


def test_a_vcf_is_converted_and_then_studied(tmp_path, capsys):
    """With --vcf the results are those of the fileset that is made of it, and the run tells what became of its variants."""
    pytest.importorskip("cyvcf2")
    vcf = tmp_path / "calls.vcf"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\tben"
    head = ["##fileformat=VCFv4.2", "##contig=<ID=1>", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">', columns]
    vcf.write_text("\n".join([*head, "1\t9\trs1\tG\tA\t.\t.\t.\tGT\t0/1\t1/1", "1\t10\trs2\tG\tA,C\t.\t.\t.\tGT\t0/1\t1/2"]) + "\n")
    assert main(Alone(), ["--vcf", str(vcf), "--freq", "--out", str(tmp_path / "out")]) == 0
    assert "1 variants of 2 people, 1 with several alternate alleles left out" in capsys.readouterr().out
    assert (tmp_path / "out" / "gwas.afreq").read_text().splitlines()[1] == "1\trs1\tG\tA\t0.75\t4"
