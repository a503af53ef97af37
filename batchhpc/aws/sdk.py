"""The AWS SDK: its clients, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchhpc.aws.refusals import explanation
from batchhpc.errors import Unavailable

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_efs import EFSClient
    from mypy_boto3_fsx import FSxClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient

_PRICING_REGION = "us-east-1"  # the Price List API has three endpoints, and this one knows all Regions
_CONNECT_TIMEOUT, _READ_TIMEOUT = 10, 60  # seconds
_TRIES = 8  # of one call, throttling included; the SDK waits longer each time, with jitter
_FEW_TRIES = 2  # where an answer is nice to have
_NO_SDK = "the AWS SDK is not installed\n  hint: pip install -e '.[aws]' in the checkout"


class Clients:
    """The SDK's clients for one Region, each made on first use; half a second that only those pay who need AWS.

    Args:
        region: the Region; what the SDK finds if left out.
        session: whose credentials to use; the default session's if left out.
        tries: of each call; fewer for what need not succeed.
        timeout: seconds to connect within, and to be answered within; ours if left out.
    """

    def __init__(
        self, region: str | None = None, session: Session | None = None, tries: int = _TRIES, timeout: float | None = None
    ) -> None:
        self._region, self._session, self._tries, self._timeout = region, session, tries, timeout

    def _client(self, service: str, region: str | None = None, tries: int = _TRIES) -> Any:
        with sdk_errors():
            try:
                import boto3  # noqa: PLC0415 - half a second
            except ModuleNotFoundError as error:  # botocore alone comes with other packages
                raise Unavailable(_NO_SDK) from error
            from botocore.config import Config  # noqa: PLC0415

            session = self._session or boto3.session.Session()
            config = Config(
                connect_timeout=self._timeout or _CONNECT_TIMEOUT,
                read_timeout=self._timeout or _READ_TIMEOUT,
                retries={"total_max_attempts": min(tries, self._tries), "mode": "standard"},
            )
            return session.client(service, region_name=region or self._region, config=config)  # type: ignore[call-overload]

    @cached_property
    def region(self) -> str:
        """The Region that the clients speak to."""
        return self.cloudformation.meta.region_name

    @cached_property
    def batch(self) -> BatchClient:
        """AWS Batch."""
        return self._client("batch")  # type: ignore[no-any-return]

    @cached_property
    def batch_once(self) -> BatchClient:
        """AWS Batch, each call tried once: SubmitJob has no client token, so a second try could be a second job."""
        return self._client("batch", tries=1)  # type: ignore[no-any-return]

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation."""
        return self._client("cloudformation")  # type: ignore[no-any-return]

    @cached_property
    def ec2(self) -> EC2Client:
        """EC2."""
        return self._client("ec2")  # type: ignore[no-any-return]

    @cached_property
    def ecr(self) -> ECRClient:
        """The container registry."""
        return self._client("ecr")  # type: ignore[no-any-return]

    @cached_property
    def efs(self) -> EFSClient:
        """EFS."""
        return self._client("efs")  # type: ignore[no-any-return]

    @cached_property
    def fsx(self) -> FSxClient:
        """FSx."""
        return self._client("fsx")  # type: ignore[no-any-return]

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return self._client("logs")  # type: ignore[no-any-return]

    @cached_property
    def pricing(self) -> PricingClient:
        """The Price List API."""
        return self._client("pricing", _PRICING_REGION, _FEW_TRIES)  # type: ignore[no-any-return]

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        """Service Quotas."""
        return self._client("service-quotas")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        return self._client("s3")  # type: ignore[no-any-return]

    @cached_property
    def sts(self) -> STSClient:
        """Who we are."""
        return self._client("sts")  # type: ignore[no-any-return]


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Around calls of the SDK.

    Raises:
        Unavailable: the SDK is not there, finds no credentials or Region, cannot reach AWS, or AWS refuses (`refusals`).
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise Unavailable(_NO_SDK) from error
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(explanation(error)) from error
