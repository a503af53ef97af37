from __future__ import annotations

from importlib import resources
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from batchhpc.aws.catalogue import describe, refresh
from batchhpc.compiler.instances import from_csv, from_description, to_csv

SHIPPED = resources.files("batchhpc.compiler").joinpath("instances.csv").read_text()


@pytest.fixture
def ec2(monkeypatch):
    """An EC2 client of a fake account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("ec2", region_name="us-east-1")


def test_a_refresh_writes_the_file_that_is_shipped(ec2, tmp_path: Path):
    """Refreshed over all pages of DescribeInstanceTypes, the data file is byte for byte the shipped one."""
    path = tmp_path / "instances.csv"
    path.write_text(SHIPPED)
    assert refresh(path, ec2) == 1395
    assert path.read_text() == SHIPPED


def test_types_of_other_regions_stay_unless_told_otherwise(ec2, tmp_path: Path):
    """A type that the Region does not offer stays in the file, or goes if the file is to be of this Region alone."""
    path = tmp_path / "instances.csv"
    known = from_csv(SHIPPED)
    other = "\n".join([SHIPPED.splitlines()[0], next(line for line in SHIPPED.splitlines() if line.startswith("m4.large,"))])
    path.write_text(other.replace("m4.large", "x9.huge") + "\n")
    assert refresh(path, ec2) == len(known) + 1
    assert refresh(path, ec2, keep=False) == len(known)


def test_every_description_survives_the_file(ec2):
    """What is written to the file is what is read from it, for every type there is."""
    types = {kind.name: kind for kind in describe(ec2)}
    assert from_csv(to_csv(types.values())) == types


def test_a_description_without_optional_parts_is_read(ec2):
    """Types without GPUs, disks, EFA or a number for their network are described, too."""
    item = ec2.describe_instance_types(InstanceTypes=["t1.micro"])["InstanceTypes"][0]
    kind = from_description(item)
    assert (kind.gpus, kind.disks, kind.efa, kind.efa_cards) == (0, 0, 0, ())
    assert kind.gbps > 0
