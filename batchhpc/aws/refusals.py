"""What AWS or its SDK refuses, in our words, each with what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthFailure"})
UNKNOWN_KEY: Final = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"})
# Names of throttling in botocore's own retry rules (botocore/retries/standard.py).
THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
# Connection problems by the names of botocore's exceptions: the call may or may not have reached AWS.
LOST: Final = frozenset(
    {
        "EndpointConnectionError",
        "ConnectionClosedError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProxyConnectionError",
        "HTTPClientError",
        "ConnectionError",
    }
)
_SIGNATURE: Final = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
_SKEW: Final = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_SERVER_FAULT: Final = 500
_NO_CREDENTIALS = {
    "NoCredentialsError": "there are no AWS credentials\n  hint: aws configure sso, aws configure, or AWS_PROFILE=NAME",
    "PartialCredentialsError": "the AWS credentials are incomplete: {said}\n  hint: give key id and secret key together",
    "NoRegionError": "no AWS Region is set\n  hint: --region eu-west-1, or AWS_REGION=eu-west-1",
    "ProfileNotFound": "{said}\n  hint: aws configure list-profiles shows those there are",
    "SSOTokenLoadError": "not signed in: {said}\n  hint: aws sso login",
    "UnauthorizedSSOTokenError": "the sign-in has expired\n  hint: aws sso login, then the same command again",
    "TokenRetrievalError": "the sign-in has expired: {said}\n  hint: aws sso login, then the same command again",
    "CredentialRetrievalError": "the credentials cannot be fetched: {said}\n  hint: aws sts get-caller-identity shows why",
}
_CLOCK = "{call}: this machine's clock is wrong: {said}\n  hint: set it by NTP (timedatectl set-ntp true)"
_BY_CODE = (
    (EXPIRED, "{call}: the credentials have expired ({code})\n  hint: sign in again (aws sso login), then the same command again"),
    (UNKNOWN_KEY, "{call}: AWS does not know these credentials ({code})\n  hint: aws sts get-caller-identity shows which are used"),
    (
        _SIGNATURE,
        "{call}: the secret key does not fit its key id ({code})\n  hint: aws configure list shows where they come from",
    ),
    (_SKEW, _CLOCK),
    (DENIED, "{call}: access denied: {said}\n  hint: {permission}"),
    (
        THROTTLED,
        "{call}: throttled by AWS{tries} ({code})\n  hint: wait a minute and try again; other programs may share the limit",
    ),
    (LOST, "the connection to AWS was lost or never made: {said}\n  hint: check network, proxy and Region, then try again"),
    ({"OptInRequired"}, "{call}: the account has not opted in: {said}\n  hint: enable the Region or service in the account"),
)
_OTHER = "{call}: {said} ({code})\n  hint: aws sts get-caller-identity shows account and credentials; --debug shows the call"


def code_of(error: BaseException) -> str:
    """AWS's code of an error, ``AccessDenied``; for errors of the SDK itself the name of the exception."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def message_of(error: BaseException) -> str:
    """What AWS says, without the SDK's words around it."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Message", "")) or code_of(error) if isinstance(response, dict) else str(error)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is the trouble, throttling, or AWS for a moment: to be tried again by whoever waits anyway."""
    code = code_of(error)
    status = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in LOST or code in THROTTLED or status >= _SERVER_FAULT


def explanation(error: BotoCoreError | ClientError) -> str:
    """What happened, and ``hint:`` what to do; one line each."""
    code, said = code_of(error), " ".join(message_of(error).split())
    known = _NO_CREDENTIALS.get(code) or next((text for codes, text in _BY_CODE if code in codes), _OTHER)
    # A signature is good for some minutes around its time.
    if code in _SIGNATURE and re.search("signature (expired|not yet current)", said, re.IGNORECASE):
        known = _CLOCK
    return known.format(call=_call(error), code=code, said=said, tries=_tries(error), permission=_permission(error, said))


def _call(error: BaseException) -> str:
    name = getattr(error, "operation_name", "")
    return f"AWS, {name}" if name else "AWS"


def _tries(error: BaseException) -> str:
    retries = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("RetryAttempts")
    return f" in {retries + 1} tries" if retries else ""


def _permission(error: BaseException, said: str) -> str:
    """Which permission lacks: AWS mostly names the action, and sometimes the kind of policy that denies it."""
    named = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", said)
    action = named[1] if named else getattr(error, "operation_name", "") or "the call"
    if "explicit deny" in said:
        kind = re.search(r"explicit deny in an? ([a-z -]+ policy)", said)
        return f"{action} is denied by a {kind[1] if kind else 'policy'}; whoever keeps the account must change it"
    return f"allow {action} in a policy of the user or role (docs/how-to/first-deploy.md lists them all)"
