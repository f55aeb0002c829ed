"""One Exchange: a request, and its whole answer; or the certainty that it never left; or neither."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response, Session
    from requests.auth import AuthBase

__all__ = ["TOTAL", "Answer", "Exchange", "Lost", "NeverLeft", "seconds"]

CONNECT = 5.0  # seconds until a connection stands
TOTAL = 25.0  # of one request, or one question with all its tries; below every Provider's http_timeout of 30 s

#: How urllib3 tells which connection it speaks of: by the name of its class, which may be ours.
_CONNECTION = re.compile(r"^\w+\(host='([^']*)', port=(\d+)\): ")


class NeverLeft(Exception):
    """No byte of the request was sent."""


class Lost(Exception):
    """It may have been sent, and no whole answer came."""


@dataclass(frozen=True)
class Answer:
    """`body` is JSON, or text where it is none; None when it is empty."""

    status: int
    body: Any
    is_json: bool
    headers: Mapping[str, str]

    @property
    def pause(self) -> float | None:
        """What Retry-After asks for, in seconds."""
        return seconds(self.headers.get("Retry-After"))


class Exchange:
    """With one vendor. A question's connections are used again by its thread; a deed has one of its own: a pooled

    one that the vendor has closed meanwhile would leave a doubt for nothing.
    """

    def __init__(self, endpoint: str, auth: AuthBase) -> None:
        self._endpoint, self._auth = endpoint.rstrip("/"), auth
        self._mine = threading.local()

    def send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any, headers: Mapping[str, str]
    ) -> Answer:
        """One request, and its whole answer within TOTAL. NeverLeft, Lost. No redirect is followed."""
        import requests

        end = time.monotonic() + TOTAL
        session = self._session() if method == "GET" else _unfollowing()
        try:
            response = session.request(
                method,
                self._endpoint + path,
                params=params,
                json=body,
                headers={"Accept": "application/json", "User-Agent": "autoscaler-toolkit", **headers},
                auth=self._auth,
                timeout=(CONNECT, TOTAL),
                stream=True,
            )
            text = _read(response, end)
        except requests.exceptions.RequestException as err:
            raise (NeverLeft(_cause(err)) if _never_left(err) else Lost(_cause(err))) from None
        finally:
            if method != "GET":
                session.close()
        return _answer(response.status_code, text, response.headers)

    def _session(self) -> Session:
        if not hasattr(self._mine, "session"):
            self._mine.session = _unfollowing()
        session: Session = self._mine.session
        return session


def seconds(header: str | None) -> float | None:
    """Retry-After in seconds, an hour at most; its form as a date is not used by these vendors and is as absent."""
    try:
        return min(3600.0, max(0.0, float(header or "")))
    except ValueError:
        return None


def _unfollowing() -> Session:
    """A session that looks at no Location: requests reads the body of a redirect, and resolves where it leads, also

    where it may not follow.
    """
    import requests

    from providerscripts.rest.deadline import Timely

    class Unfollowing(requests.Session):
        def get_redirect_target(self, _: Response) -> None:
            return None

    session = Unfollowing()
    for scheme in ("https://", "http://"):
        session.mount(scheme, Timely())
    return session


def _read(response: Response, end: float) -> bytes:
    """Piece by piece, as they come: a read of many bytes would wait for the last of them beyond any end."""
    from urllib3.exceptions import HTTPError

    parts = []
    try:
        while part := response.raw.read1(65536, decode_content=True):
            parts.append(part)
            if time.monotonic() > end:
                raise Lost(f"the answer was not whole within {TOTAL:.0f} s")
    except HTTPError as err:
        raise Lost(_cause(err)) from None
    return b"".join(parts)


def _answer(status: int, text: bytes, headers: Mapping[str, str]) -> Answer:
    if not text.strip():
        return Answer(status, None, False, headers)
    try:
        return Answer(status, json.loads(text), True, headers)
    except (ValueError, RecursionError):
        return Answer(status, text.decode(errors="replace"), False, headers)


def _never_left(err: Exception) -> bool:
    """Is it certain that no byte of the request reached the vendor?"""
    import requests
    from urllib3.exceptions import NewConnectionError

    if isinstance(err, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    if isinstance(err, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(err)
    if isinstance(err, ValueError):  # requests' own word for an address or a header that cannot be sent
        return not isinstance(err, requests.exceptions.JSONDecodeError)
    reason = getattr(err.args[0], "reason", None) if err.args else None
    return isinstance(reason, NewConnectionError)


def _cause(err: BaseException) -> str:
    """What a person can use of a chain of library errors: its innermost sentence."""
    import requests

    if isinstance(err, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT:.0f} s"
    if isinstance(err, requests.exceptions.Timeout):
        return f"no answer within {TOTAL:.0f} s"
    reason: Any = err.args[0] if err.args else err
    reason = getattr(reason, "reason", None) or reason
    text = str(reason.args[-1] if isinstance(reason, Exception) and reason.args else reason)
    return _CONNECTION.sub(r"\1:\2: ", text.rpartition(">: ")[2]) or type(err).__name__
