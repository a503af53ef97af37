"""The AWS SDK: its clients, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchhpc.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def ec2_client(region: str | None) -> EC2Client:
    """A client of the default session; its Region is what the SDK finds if none is named."""
    import boto3  # noqa: PLC0415 - half a second that nobody else should pay

    return boto3.client("ec2", region_name=region)


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Around calls of the SDK.

    Raises:
        Unavailable: the SDK is not there, finds no credentials or Region, cannot reach AWS, or AWS refuses.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise Unavailable("the AWS SDK is not installed\n  hint: pip install -e '.[aws]' in the checkout") from error
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(
            f"AWS: {error}\n  hint: aws sts get-caller-identity shows whether credentials and Region are set"
        ) from error
