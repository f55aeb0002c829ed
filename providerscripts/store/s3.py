"""A Store in a bucket of S3 or of any S3-alike.

The ETag is the version, kept without its quotes. `date` and `modified` are the endpoint's own headers Date
and Last-Modified of one answer (whole seconds).

A lost reply. botocore tries a request again when its reply was lost or was a 5xx. If the first try had
been done after all, the second meets its own work and the endpoint refuses it: LostRace, though we won. It
is not turned into a success here, for whose bytes lie there the caller judges better: a LostRace means
"read again", and a caller that finds its own holder, epoch or event there has won. Message and exception
(`repeated`) say that a request was repeated. When no try brought a reply it is StoreUnreachable, and the write may
have happened. The other wrong answer, a repeat that overwrites what someone wrote in between, cannot be for create
and swap: their condition is checked each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from autoscaler.ports import Conditional, LostRace, Stored, StoreUnreachable, Written
from providerscripts.store.key import checked, checked_prefix
from providerscripts.store.probe import ConditionsUnsupported
from providerscripts.store.refusal import told
from utilities.instant import Instant

__all__ = ["S3Store"]

# Answers of endpoints that know the plain write but not its condition. Not every 400: some are about credentials.
_UNSUPPORTED = ("NotImplemented", "NotSupported", "InvalidArgument", "InvalidRequest", "MethodNotAllowed")


class S3Store:
    """Objects below `prefix` in `bucket`. Thread-safe; botocore is imported at the first request.

    `conditional` is NO until `probe` or the caller says otherwise. What the endpoint does not honour is done
    by comparing first and then writing: the best that can be had, and no guard against two writers at once.
    Credentials: the two arguments, else the ordinary chain of boto3. `style` is path, virtual or auto.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        style: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        conditional: Conditional = Conditional.NO,
        unquoted: bool = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 3,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.endpoint = endpoint
        self.conditional = conditional
        self.unquoted = unquoted
        self.doubted: Callable[[], object] | None = None  # called when the endpoint refuses a condition
        self.where = f"s3://{bucket}/{self.prefix}".rstrip("/")
        if endpoint:
            self.where += f"?endpoint={endpoint}"
        self._region = region
        # Small S3-alikes seldom have DNS for a host per bucket, and all of them know the path.
        self._style = style or ("path" if endpoint else "auto")
        self._keys = (access_key, secret_key, session_token)
        self._timing = (connect_timeout, read_timeout, attempts)
        self._lock = threading.Lock()
        self._made: Any = None

    def get(self, key: str) -> Stored | None:
        """The object, or None when the endpoint says NoSuchKey. Else StoreUnreachable."""
        answer = self._ask("get_object", f"read {key}", Key=self._full(key))
        if answer is None:
            return None
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            body = answer["Body"].read()
        except (BotoCoreError, HTTPError, OSError) as err:
            raise told(err, self, f"read {key}") from None
        modified, date = self._stamp(answer, "last-modified"), self._stamp(answer, "date")
        return Stored(key, body, self._etag(answer, key), modified, date)

    def create(self, key: str, body: bytes) -> Written:
        """Write only if absent. LostRace when present, or when a repeated request met its own work."""
        if self.conditional is Conditional.NO:
            if self.get(key) is not None:
                raise LostRace(f"{self.where}: {key} exists already; read it again")
            return self.put(key, body)
        return self._write(key, body, IfNoneMatch="*")

    def swap(self, key: str, body: bytes, version: str) -> Written:
        """Write only over this version. LostRace when it changed or is gone, or as in create."""
        if self.conditional is not Conditional.YES:
            found = self.get(key)
            if found is None or found.version != version:
                what = "is gone" if found is None else "was changed by someone else"
                raise LostRace(f"{self.where}: {key} {what}; read it again")
            return self.put(key, body)
        return self._write(key, body, IfMatch=version if self.unquoted else f'"{version}"')

    def put(self, key: str, body: bytes) -> Written:
        """Write whatever is there. StoreUnreachable."""
        return self._write(key, body)

    def delete(self, key: str) -> None:
        """Remove; not there is done. StoreUnreachable."""
        self._ask("delete_object", f"remove {key}", Key=self._full(key))

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so, sorted, over all pages; or StoreUnreachable."""
        found: list[str] = []
        asked: dict[str, Any] = {"Prefix": self.prefix + checked_prefix(prefix)}
        seen: set[str] = set()
        while True:
            answer = self._ask("list_objects_v2", "list", **asked)
            if answer is None:
                raise StoreUnreachable(f"{self.where}: cannot list: it answered NoSuchKey to a listing")
            names = [item["Key"][len(self.prefix) :] for item in answer.get("Contents", ())]
            # Web consoles make objects that stand for folders.
            found += [name for name in names if name and not name.endswith("/")]
            if not answer.get("IsTruncated"):
                return sorted(set(found))
            token = answer.get("NextContinuationToken")
            if not token or token in seen:
                raise StoreUnreachable(f"{self.where}: cannot list: there is more, but no next page was given")
            seen.add(token)
            asked["ContinuationToken"] = token

    # --- the parts ------------------------------------------------------------------------------------------

    def _full(self, key: str) -> str:
        return self.prefix + checked(key)

    def _write(self, key: str, body: bytes, **condition: str) -> Written:
        full = self._full(key)
        answer = self._ask("put_object", f"write {key}", Key=full, Body=bytes(body), **condition)
        if answer is None:  # If-Match on an object that is not there
            raise LostRace(f"{self.where}: {key} is gone; read it again")
        return Written(self._etag(answer, key), self._stamp(answer, "date"))

    def _ask(self, call: str, doing: str, **arguments: Any) -> Any:
        """The answer, or None for NoSuchKey. LostRace, ConditionsUnsupported, StoreUnreachable."""
        from botocore.exceptions import BotoCoreError, ClientError

        condition = "IfMatch" in arguments or "IfNoneMatch" in arguments
        try:
            return getattr(self._client(), call)(Bucket=self.bucket, **arguments)
        except (BotoCoreError, ClientError, OSError) as err:
            response = getattr(err, "response", None)
            if isinstance(response, dict):
                code = str(response.get("Error", {}).get("Code", ""))
                meta = response.get("ResponseMetadata", {})
                status = meta.get("HTTPStatusCode", 0)
                # Only this word is a certain "not there": a proxy's 404 or a missing bucket is not.
                if status == 404 and code == "NoSuchKey" and (call != "put_object" or "IfMatch" in arguments):
                    return None
                if condition and (status == 412 or (status == 409 and code == "ConditionalRequestConflict")):
                    who, repeated = "someone else was first", bool(meta.get("RetryAttempts"))
                    if repeated:
                        who = "a request had to be repeated, and someone else or our own first try was first"
                    # AWS says 404 of what is gone, SeaweedFS says 412 of that too
                    gone = ", or it is gone" if "IfMatch" in arguments else ""
                    lost = LostRace(f"{self.where}: {who} to {doing}{gone}; read it again")
                    lost.repeated = repeated
                    raise lost from None
                if condition and (status == 501 or (status in (400, 405) and code in _UNSUPPORTED)):
                    if self.doubted is not None:
                        self.doubted()
                    raise ConditionsUnsupported(
                        f"{self.where}: the endpoint does not take conditional writes ({status} {code}), though it "
                        "did before; the next call judges it anew, and `autoscaler doctor` tells the verdict"
                    ) from None
            raise told(err, self, doing) from None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                from providerscripts.store.client import open_client

                self._made = open_client(self.endpoint, self._region, self._style, self._keys, self._timing)
            return self._made

    def _etag(self, answer: Any, key: str) -> str:
        etag = str(answer.get("ETag") or "").removeprefix("W/").strip('"')
        if not etag:
            raise StoreUnreachable(f"{self.where}: the endpoint gave no ETag for {key}; it cannot be a Store")
        return etag

    def _stamp(self, answer: Any, header: str) -> Instant:
        text = answer["ResponseMetadata"]["HTTPHeaders"].get(header, "")
        try:
            return Instant(parsedate_to_datetime(text).timestamp())
        except (TypeError, ValueError):
            raise StoreUnreachable(
                f"{self.where}: the endpoint's answer has no readable {header} ({text!r}), so no lease "
                "could be judged; is there a proxy in between that takes it out?"
            ) from None
