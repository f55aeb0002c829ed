"""What botocore raises, told apart: a certain no, a request that never left, or nobody knows.

Codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html. The code counts before the
HTTP status: EC2 says "no capacity" and "too many requests" with a 5xx, and both are certain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from utilities.errors import Trouble, Unreachable

__all__ = ["Heard", "asking", "doing", "errors", "heard"]

_KINDS = {
    "sold out": (
        "InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity",
        "InsufficientReservedInstanceCapacity", "InsufficientVolumeCapacity", "InsufficientAddressCapacity",
    ),
    "quota": (
        "InstanceLimitExceeded", "VcpuLimitExceeded", "VolumeLimitExceeded", "MaxIOPSLimitExceeded",
        "NetworkInterfaceLimitExceeded", "ResourceCountExceeded", "ResourceLimitExceeded",
        "InsufficientFreeAddressesInSubnet", "TagLimitExceeded",
    ),
    "rate": (
        "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "EC2ThrottledException", "TooManyRequestsException", "SlowDown",
        "PriorRequestNotComplete", "BandwidthLimitExceeded",
    ),
    "auth": (
        "AuthFailure", "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "InvalidClientTokenId",
        "UnrecognizedClientException", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureException",
        "MissingAuthenticationToken", "MissingAuthenticationTokenException", "ExpiredToken",
        "ExpiredTokenException", "RequestExpired", "OptInRequired", "Blocked", "PendingVerification",
        "InvalidAccessKeyId", "InvalidToken",
    ),
}  # fmt: skip
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}
_BY_STATUS = {401: "auth", 403: "auth", 429: "rate"}
_UNSURE = frozenset({408})  # 4xx that do not say what became of the request

_CHAIN = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give this machine a role, or name a `profile` of "
    "~/.aws/credentials (cron knows no variables of your shell)"
)
_NEVER_LEFT = {
    "NoCredentialsError": f"no credentials were found: {_CHAIN}",
    "PartialCredentialsError": f"the credentials are incomplete: {_CHAIN}",
    "CredentialRetrievalError": "the credentials could not be fetched: look at the role, or the credentials file",
    "ProfileNotFound": "there is no such profile in ~/.aws/config or ~/.aws/credentials",
    "ConfigParseError": "~/.aws/config or ~/.aws/credentials cannot be read",
    "NoRegionError": "no region is set",
    "InvalidRegionError": "there is no such region",
    "EndpointConnectionError": "it cannot be connected to",
    "ConnectTimeoutError": "it did not accept a connection in time",
    "ProxyConnectionError": "the proxy cannot be connected to: look at HTTPS_PROXY and NO_PROXY",
}
_LONGEST = 2000  # letters of a sentence that is passed on


@dataclass(frozen=True)
class Heard:
    """`kind` as of Refused where the answer is a certain no, else empty. `left`: did the request leave?"""

    code: str
    sentence: str
    kind: str = ""
    left: bool = True


def errors() -> tuple[type[Exception], ...]:
    """All that a call of boto3 raises. That an answer is no XML is none of botocore's BotoCoreErrors."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError, OSError


def heard(err: Exception) -> Heard:
    """What an error of botocore says."""
    response = getattr(err, "response", None)
    if isinstance(response, dict):
        error = response.get("Error", {})
        code = str(error.get("Code", ""))[:80]
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        words = " ".join(str(error.get("Message", "")).split())
        if "Signature" in code:
            words = ""  # it repeats the whole request, a session token too
        sentence = f"HTTP {status}, {code}: {words}"[:_LONGEST].rstrip(": ")
        return Heard(code, sentence, _kind(code, status, words))
    names = [kind.__name__ for kind in type(err).__mro__]
    for name in names:
        if name in _NEVER_LEFT:
            return Heard(name, f"{_NEVER_LEFT[name]} ({err})"[:_LONGEST], left=False)
    if "SSLError" in names and "CERTIFICATE_VERIFY_FAILED" in str(err):
        return Heard("SSLError", f"its certificate is not trusted ({err})"[:_LONGEST], left=False)
    if "ParamValidationError" in names:
        return Heard("ParamValidationError", " ".join(str(err).split())[:_LONGEST], "invalid", left=False)
    return Heard(names[0], f"no answer that can be understood came ({names[0]}: {err})"[:_LONGEST])


def _kind(code: str, status: int, words: str) -> str:
    if code in _KIND_OF:
        return _KIND_OF[code]
    if code == "Unsupported" and "availability zone" in words.lower():
        return "sold out"  # this size, in this zone: another target may have it
    if status >= 500 or status < 400 or status in _UNSURE:
        return ""
    return _BY_STATUS.get(status, "invalid")


@contextmanager
def asking(title: str, what: str, unreachable: type[Unreachable] = ProviderUnreachable) -> Iterator[None]:
    """Around a question: whatever is raised becomes `unreachable`, for a question has no refusal.

    So does the KeyError of an answer that lacks what it must have: a proxy's page may read as an empty one.
    """
    try:
        yield
    except errors() as err:
        raise unreachable(f"{title}: {what}: {heard(err).sentence}") from None
    except KeyError as err:
        raise unreachable(f"{title}: {what}: its answer cannot be understood, it lacks {err}") from None


@contextmanager
def doing(
    title: str,
    what: str,
    unreachable: type[Unreachable] = ProviderUnreachable,
    doubtful: type[Trouble] = Doubtful,
) -> Iterator[None]:
    """Around a deed: Refused for a certain no, `unreachable` when it never left, else `doubtful`."""
    try:
        yield
    except errors() as err:
        told = heard(err)
        if told.kind:
            raise Refused(f"{title}: {what}: {told.sentence}", kind=told.kind) from None
        if not told.left:
            raise unreachable(f"{title}: {what}: {told.sentence}") from None
        raise doubtful(f"{title}: {what}: {told.sentence}; it may have been done") from None
