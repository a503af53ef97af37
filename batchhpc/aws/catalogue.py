"""The instance catalogue, written anew from what EC2 says today."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batchhpc.compiler.instances import InstanceType, from_csv, from_description, to_csv

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def describe(ec2: EC2Client) -> list[InstanceType]:
    """All instance types of the client's Region.

    Raises:
        botocore.exceptions.ClientError: EC2 refuses, say for lack of ec2:DescribeInstanceTypes.
    """
    pages = ec2.get_paginator("describe_instance_types").paginate()
    return [from_description(item) for page in pages for item in page["InstanceTypes"]]


def refresh(path: Path, ec2: EC2Client | None = None, *, keep: bool = True) -> int:
    """Writes the data file anew, and says how many types it has.

    Args:
        path: the file; ``instances.csv`` of the compiler in a checkout.
        ec2: the client to ask; one of the default session if left out.
        keep: whether types that this Region does not offer stay in the file: no Region has them all.

    Raises:
        botocore.exceptions.ClientError: EC2 refuses.
    """
    if ec2 is None:
        import boto3  # noqa: PLC0415 - half a second that nobody else should pay

        ec2 = boto3.client("ec2")
    types = from_csv(path.read_text()) if keep and path.exists() else {}
    types |= {kind.name: kind for kind in describe(ec2)}
    path.write_text(to_csv(types.values()))
    return len(types)
