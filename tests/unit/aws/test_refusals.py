"""Every kind of error that the SDK raises is told in our words, with its remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore import exceptions as sdk

from batchhpc.aws.refusals import DENIED, EXPIRED, LOST, THROTTLED, UNKNOWN_KEY, code_of, explanation, is_lost, message_of
from batchhpc.aws.sdk import Clients, sdk_errors
from batchhpc.errors import Unavailable
from tests.unit.aws.fake_aws import REGION, FakeAws
from tests.unit.aws.fake_jobs import Refusal

URL = "https://batch.eu-west-1.amazonaws.com"


def refused(code: str, said: str = "as it is", *, status: int = 400, retries: int = 0) -> sdk.ClientError:
    """What the SDK raises for a refusal of CreateStack."""
    answer = {
        "Error": {"Code": code, "Message": said},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": retries},
    }
    return sdk.ClientError(cast(Any, answer), "CreateStack")


@pytest.mark.parametrize("code", sorted(EXPIRED))
def test_expired_tokens(code: str) -> None:
    """Each of AWS's names for an expired token says so, and how to sign in again."""
    said = explanation(refused(code, "The security token included in the request is expired"))
    hint = "sign in again (aws sso login), then the same command again"
    assert said == f"AWS, CreateStack: the credentials have expired ({code})\n  hint: {hint}"


@pytest.mark.parametrize("code", sorted(UNKNOWN_KEY))
def test_unknown_keys(code: str) -> None:
    """A key that AWS does not know is told apart from one that may not do something."""
    said = explanation(refused(code, "The security token included in the request is invalid."))
    assert said.startswith(f"AWS, CreateStack: AWS does not know these credentials ({code})\n  hint: aws sts get-caller-identity")


@pytest.mark.parametrize(
    ("error", "first", "remedy"),
    [
        (sdk.NoCredentialsError(), "there are no AWS credentials", "AWS_PROFILE=NAME"),
        (sdk.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "are incomplete", "secret key together"),
        (sdk.NoRegionError(), "no AWS Region is set", "--region eu-west-1"),
        (sdk.ProfileNotFound(profile="hpc"), "(hpc)", "aws configure list-profiles"),
        (sdk.SSOTokenLoadError(error_msg="no token"), "not signed in", "aws sso login"),
        (sdk.UnauthorizedSSOTokenError(), "the sign-in has expired", "aws sso login"),
        (sdk.TokenRetrievalError(provider="sso", error_msg="refresh failed"), "the sign-in has expired", "aws sso login"),
        (sdk.CredentialRetrievalError(provider="process", error_msg="exit 1"), "cannot be fetched", "get-caller-identity"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_credentials_of_the_sdk(error: sdk.BotoCoreError, first: str, remedy: str) -> None:
    """Credentials or a Region that the SDK does not find are told with the way to give them."""
    said, hint = explanation(error).split("\n")
    assert first in said
    assert hint.startswith("  hint: ")
    assert remedy in hint


@pytest.mark.parametrize("code", sorted(DENIED))
def test_denied_without_an_action(code: str) -> None:
    """Where AWS does not name the action that is denied, the operation is named."""
    said = explanation(refused(code, "Access Denied"))
    assert said.startswith("AWS, CreateStack: access denied: Access Denied\n  hint: allow CreateStack in a policy")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "User: kim is not authorized to perform: batch:CreateJobQueue because no identity-based policy allows the action",
            "allow batch:CreateJobQueue in a policy of the user or role",
        ),
        (
            "User: kim is not authorized to perform: iam:PassRole on x with an explicit deny in a service control policy",
            "iam:PassRole is denied by a service control policy; whoever keeps the account must change it",
        ),
        ("You are not authorized to perform: ec2:RunInstances", "allow ec2:RunInstances in a policy"),
        ("denied with an explicit deny", "CreateStack is denied by a policy; whoever keeps the account"),
    ],
)
def test_denied_actions_are_named(said: str, remedy: str) -> None:
    """The permission that lacks is named, and who can give it: the user's own policy, or whoever denies it."""
    assert remedy in explanation(refused("AccessDenied", said, status=403)).split("\n  hint: ")[1]


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_throttling(code: str) -> None:
    """Throttling is told with the tries it took, and is worth another try."""
    error = refused(code, "Rate exceeded", retries=7)
    assert explanation(error).startswith(f"AWS, CreateStack: throttled by AWS in 8 tries ({code})\n  hint: wait a minute")
    assert is_lost(error)


@pytest.mark.parametrize(
    "error",
    [
        sdk.EndpointConnectionError(endpoint_url=URL),
        sdk.ConnectionClosedError(endpoint_url=URL),
        sdk.ConnectTimeoutError(endpoint_url=URL),
        sdk.ReadTimeoutError(endpoint_url=URL),
        sdk.ProxyConnectionError(proxy_url="http://proxy"),
        sdk.HTTPClientError(error="reset"),
        sdk.ConnectionError(error=OSError("reset")),
    ],
    ids=code_of,
)
def test_lost_connections(error: sdk.BotoCoreError) -> None:
    """A connection that is lost is told as that, one line and the remedy, and is worth another try."""
    first, hint = explanation(error).split("\n")
    assert first.startswith("the connection to AWS was lost or never made: ")
    assert "network, proxy and Region" in hint
    assert is_lost(error)
    assert code_of(error) in LOST


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("RequestInTheFuture", "in the future"),
        ("SignatureDoesNotMatch", "Signature expired: 20270115T080000Z is now earlier than 20270115T081500Z (- 5 min.)"),
        ("InvalidSignatureException", "Signature expired: 20270115T080000Z is now earlier than 20270115T081500Z (- 5 min.)"),
        ("InvalidSignatureException", "Signature not yet current: 20270115T080000Z is still later than 20270115T070000Z"),
    ],
)
def test_clock_skew(code: str, said: str) -> None:
    """A signature of another time is a wrong clock, not a wrong key, by whichever name."""
    assert explanation(refused(code, said, status=403)) == (
        f"AWS, CreateStack: this machine's clock is wrong: {said}\n  hint: set it by NTP (timedatectl set-ntp true)"
    )


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidSignatureException"])
def test_a_wrong_secret_key(code: str) -> None:
    """A signature that does not fit otherwise is a wrong secret key."""
    said = explanation(refused(code, "The request signature we calculated does not match the signature you provided."))
    assert said.startswith(f"AWS, CreateStack: the secret key does not fit its key id ({code})")


def test_an_account_that_has_not_opted_in() -> None:
    """A Region or service that the account has not enabled is told with where to do it."""
    said = explanation(refused("OptInRequired", "You are not subscribed to this service."))
    assert said.endswith("hint: enable the Region or service in the account")


def test_anything_else() -> None:
    """What is not known is told in AWS's own words, on one line, with its code."""
    error = refused("ValidationError", "1 validation error\n  detected")
    assert explanation(error).startswith("AWS, CreateStack: 1 validation error detected (ValidationError)\n  hint: ")
    assert not is_lost(error)
    assert message_of(refused("Odd", "")) == "Odd"


@pytest.mark.parametrize(("status", "lost"), [(400, False), (403, False), (500, True), (503, True)])
def test_faults_of_aws_are_worth_another_try(status: int, lost: bool) -> None:
    """AWS's own faults pass; the caller's do not."""
    assert is_lost(refused("InternalFailure", status=status)) is lost


@pytest.mark.parametrize(
    ("missing", "call"),
    [("botocore.exceptions", lambda: sdk_errors().__enter__()), ("boto3", lambda: Clients(REGION).batch)],
    ids=["neither", "botocore alone"],
)
def test_a_missing_sdk(missing: str, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the package to install is named; botocore alone, which other packages bring, is not enough."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(Unavailable, match=r"the AWS SDK is not installed\n  hint: pip install -e '\.\[aws\]'"):
        call()


def test_a_refusal_on_its_way_through_a_client() -> None:
    """What a client raises reaches the caller as Unavailable, with the SDK's error as its cause."""
    aws = FakeAws().on("sts.GetCallerIdentity", Refusal("The security token is expired", "ExpiredToken", 403))
    with pytest.raises(Unavailable, match="AWS, GetCallerIdentity: the credentials have expired") as caught, sdk_errors():
        aws.clients.sts.get_caller_identity()
    assert code_of(cast(BaseException, caught.value.__cause__)) == "ExpiredToken"
