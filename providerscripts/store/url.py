"""A Store from its URL: `file:///directory`, `s3://bucket/prefix?endpoint=URL&region=NAME`, or `memory:`."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from autoscaler.ports import Clock, Store
from utilities.errors import AskerErred

__all__ = ["open_store"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_S3_OPTIONS = ("endpoint", "region", "style")


def open_store(
    url: str,
    clock: Clock,
    *,
    make: bool = False,
    endpoint: str | None = None,
    region: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    session_token: str | None = None,
) -> Store:
    """The Store, not yet asked anything. AskerErred with one sentence when the URL is none of ours.

    `make`: a directory that is not there is made (`init`, demo). What the URL says of endpoint and region
    precedes the arguments. An s3 Store is taken to honour nothing until `verdict` judged it.
    """
    parts = _split(url)
    if parts.scheme == "file":
        from providerscripts.store.file import FileStore

        return FileStore(_directory(url, parts), make=make)
    if parts.scheme == "s3":
        from providerscripts.store.s3 import S3Store

        bucket, options = _bucket(url, parts), _options(url, parts)
        return S3Store(
            bucket,
            _prefix(url, parts),
            endpoint=_endpoint(url, options.get("endpoint") or endpoint),
            region=options.get("region") or region,
            style=options.get("style"),
            access_key=access_key,
            secret_key=secret_key,
            session_token=session_token,
        )
    if url in ("memory:", "memory://"):
        from providerscripts.store.memory import MemoryStore

        return MemoryStore(clock)
    if url.startswith("/"):
        raise AskerErred(f"{url!r} is no Store URL: write file://{url}")
    raise AskerErred(
        f"{_shown(url)!r} is no Store URL: write file:///DIRECTORY or s3://BUCKET/PREFIX?endpoint=https://HOST"
    )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as err:
        raise AskerErred(f"{_shown(url)!r} is no Store URL: {err}") from None


def _directory(url: str, parts: SplitResult) -> str:
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/"):
        raise AskerErred(f"{url!r} names no absolute path: write file:///DIRECTORY, with three slashes")
    if parts.query or parts.fragment:
        raise AskerErred(f"{url!r}: a file Store takes no options; write ? and # in a path as %3F and %23")
    if path.strip("/") == "":
        raise AskerErred(f"{url!r} is the root of the disk: name a directory of its own below it")
    if "\0" in path:
        raise AskerErred(f"{url!r} is no path")
    return path


def _bucket(url: str, parts: SplitResult) -> str:
    if "@" in parts.netloc:
        raise AskerErred("a Store URL takes no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
    if not parts.netloc:
        raise AskerErred(f"{url!r} names no bucket: write s3://BUCKET/PREFIX")
    if not _BUCKET.fullmatch(parts.netloc):
        raise AskerErred(f"{url!r}: {parts.netloc!r} is no bucket's name; an endpoint goes behind ?endpoint=")
    return parts.netloc


def _prefix(url: str, parts: SplitResult) -> str:
    from providerscripts.store.key import checked

    prefix = unquote(parts.path).strip("/")
    if parts.fragment:
        raise AskerErred(f"{url!r}: a Store URL has no part behind #")
    if prefix:
        try:
            checked(prefix)
        except ValueError as err:
            raise AskerErred(f"{url!r}: the prefix {err}") from None
        if len(prefix.encode()) > 100:
            raise AskerErred(f"{url!r}: the prefix is longer than 100 bytes")
    return prefix


def _options(url: str, parts: SplitResult) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _S3_OPTIONS:
            raise AskerErred(f"{_shown(url)!r}: {name!r} is no option; there are {', '.join(_S3_OPTIONS)}")
        if name in options or not value:
            raise AskerErred(f"{_shown(url)!r}: {name} must stand there once, with a value")
        options[name] = value
    if options.get("style", "path") not in ("path", "virtual", "auto"):
        raise AskerErred(f"{_shown(url)!r}: style is path, virtual or auto")
    return options


def _endpoint(url: str, endpoint: str | None) -> str | None:
    if endpoint is None:
        return None
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, good = urlsplit(""), False
    if "@" in parts.netloc:
        raise AskerErred("an endpoint takes no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
    if not good or parts.query or parts.fragment:
        raise AskerErred(
            f"{_shown(url)!r}: the endpoint {endpoint!r} is none; write https://HOST or http://HOST:PORT"
        )
    return endpoint.rstrip("/")


def _shown(url: str) -> str:
    """The URL without what may be a secret."""
    return re.sub(r"//[^/@]*@", "//...@", url.split("?", 1)[0])
