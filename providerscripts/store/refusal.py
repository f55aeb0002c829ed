"""What botocore raises, as one sentence that names endpoint and bucket and the way out. Never a secret in it.

Only error codes are passed on, not the endpoint's own prose: that may repeat a key or a signed request.
"""

from __future__ import annotations

from typing import Protocol

from autoscaler.ports import StoreUnreachable

__all__ = ["Place", "told"]


class Place(Protocol):
    """Where it happened."""

    where: str
    bucket: str
    endpoint: str | None


_REGION = "bucket {bucket} lies in another region; add region=NAME to the Store's URL"
_CODES = {
    "NoSuchBucket": "there is no bucket {bucket}; make it there, or mend the Store's URL",
    "AccessDenied": "access to {bucket} is denied; allow GetObject, PutObject, DeleteObject, ListBucket",
    "AllAccessDisabled": "access to bucket {bucket} is disabled; ask whoever runs it",
    "InvalidAccessKeyId": "it does not know this access key; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key does not fit the access key; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session token has expired; get a new one",
    "InvalidToken": "the session token is not valid; get a new one, or unset AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock differs too much from the endpoint's; set it (chrony)",
    "RequestExpired": "this machine's clock differs too much from the endpoint's; set it (chrony)",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "SlowDown": "it asks for fewer requests; the next tick tries again",
    "ServiceUnavailable": "it is overloaded or down; the next tick tries again",
    "InternalError": "it had an error of its own; the next tick tries again",
    "QuotaExceeded": "the quota of bucket {bucket} is used up; free some space or raise it",
}
_STATUS = {
    401: "it does not accept these credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    403: _CODES["AccessDenied"],
    404: "it answers 404, but not as S3 does; check endpoint and bucket {bucket} in the Store's URL",
    429: _CODES["SlowDown"],
    501: "it does not implement this request; another endpoint is needed",
    503: _CODES["ServiceUnavailable"],
    507: "it is out of space; free some, or raise the quota",
}
_TYPES = {
    "EndpointConnectionError": "it cannot be connected to; check its name and port, and the network",
    "ConnectTimeoutError": "it did not accept a connection in time; check network and firewall",
    "ReadTimeoutError": "it did not answer in time{doubt}",
    "ConnectionClosedError": "it hung up without an answer{doubt}",
    "ResponseStreamingError": "its answer broke off; the next tick tries again",
    "IncompleteReadError": "its answer broke off; the next tick tries again",
    "ProxyConnectionError": "the proxy cannot be connected to; check HTTPS_PROXY and NO_PROXY",
    "SSLError": "its certificate is not trusted; set AWS_CA_BUNDLE, or check the endpoint's name",
    "NoCredentialsError": "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PartialCredentialsError": "the credentials are incomplete; access key and secret key are both needed",
    "CredentialRetrievalError": "the credentials could not be fetched; check credentials file or role",
    "ProfileNotFound": "the credentials profile named in AWS_PROFILE is not in the credentials file",
    "NoRegionError": "no region is known; add region=NAME to the Store's URL",
    "ResponseParserError": "it does not answer as S3 does; check the endpoint in the Store's URL",
}


def told(err: Exception, place: Place, doing: str) -> StoreUnreachable:
    """The sentence, as the exception to raise."""
    response = getattr(err, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))[:60]
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        why = _CODES.get(code) or _STATUS.get(status) or "it refused; look the code up with its vendor"
        shown = code if code == str(status) else f"{status} {code}".strip()
    else:
        why = next((_TYPES[kind.__name__] for kind in type(err).__mro__ if kind.__name__ in _TYPES), "")
        why = why or "it could not be asked"
        shown = type(err).__name__
    host = place.endpoint or "the endpoint of AWS"
    asking = doing == "list" or doing.startswith("read ")
    why = why.format(bucket=place.bucket, doubt="" if asking else "; it may or may not have been done")
    return StoreUnreachable(f"{place.where}: cannot {doing}: {host}: {why} ({shown})")
