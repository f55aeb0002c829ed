"""The Engine: one Docker engine, asked through its SDK; every failure as the port Provider names it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from utilities.errors import DocumentFault

__all__ = ["TIMEOUT", "Engine", "status_of"]

TIMEOUT = 25  # seconds for a connection, and for each part of an answer; below the Provider's http_timeout
USUAL = "unix:///var/run/docker.sock"

T = TypeVar("T")

_KINDS = {401: "auth", 403: "auth", 429: "rate"}  # every other 4xx is "invalid": an engine sells nothing


class Engine:
    """`host` is its URL; empty: DOCKER_HOST of the environment, else the usual socket.

    DOCKER_TLS_VERIFY and DOCKER_CERT_PATH hold as they do for Docker's own client. Nothing is asked before the
    first call. May be used by many threads.
    """

    def __init__(self, host: str = "") -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or USUAL
        self._lock = threading.Lock()
        self._client: Any = None

    def ask(self, question: Callable[[Any], T]) -> T:
        """The answer to what changes nothing. ProviderUnreachable; the SDK's APIError for a clear 404 or 409."""
        client = self._opened()
        try:
            return question(client)
        except Exception as err:
            if status_of(err) in (404, 409):
                raise
            raise ProviderUnreachable(self._sentence(err)) from err

    def tell(self, deed: Callable[[Any], T]) -> T:
        """The answer to one request that changes something, sent once. Refused, Doubtful, ProviderUnreachable."""
        client = self._opened()
        try:
            return deed(client)
        except Exception as err:
            status = status_of(err)
            if status is not None and 400 <= status < 500:
                raise Refused(self._sentence(err), _KINDS.get(status, "invalid")) from err
            if status is None and _never_left(err):
                raise ProviderUnreachable(self._sentence(err)) from err
            raise Doubtful(self._sentence(err)) from err

    def _opened(self) -> Any:
        """The SDK's client, which on its first use asks which version the engine speaks. ProviderUnreachable."""
        with self._lock:
            if self._client is None:
                import docker

                try:
                    settings = docker.utils.kwargs_from_env({**os.environ, "DOCKER_HOST": self.host})
                    client = docker.APIClient(**settings, version="auto", timeout=TIMEOUT)
                except docker.errors.TLSParameterError as err:
                    raise DocumentFault("provider docker", [f"DOCKER_CERT_PATH: {err}"]) from err
                except Exception as err:
                    raise ProviderUnreachable(self._sentence(err)) from err
                # a connection that the engine closed while it lay in a pool would leave a doubt for nothing
                client.headers["Connection"] = "close"
                self._client = client
            return self._client

    def _sentence(self, err: Exception) -> str:
        said = getattr(err, "explanation", None) or _innermost(err)
        if isinstance(said, bytes):
            said = said.decode(errors="replace")
        text = f"docker at {self.host}: {str(said).strip()}"
        if isinstance(_root(err), PermissionError):
            text += "; whoever runs the nodes' crontab must be in the group `docker`, or root"
        elif isinstance(_root(err), FileNotFoundError | ConnectionRefusedError):
            text += "; is the engine running, and is `host` of `provider:` right?"
        return text


def status_of(err: BaseException) -> int | None:
    """The HTTP status that the engine answered with; None for any other failure."""
    response = getattr(err, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _chain(err: BaseException) -> list[BaseException]:
    """The error, what it carries, and what it came from, outermost first."""
    found: list[BaseException] = []
    todo: list[object] = [err]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return found


def _never_left(err: BaseException) -> bool:
    """Is it certain that no byte of the request reached the engine? Only connect(2) fails in these ways."""
    from requests.exceptions import ConnectTimeout
    from urllib3.exceptions import NewConnectionError

    sure = (ConnectTimeout, NewConnectionError, FileNotFoundError, ConnectionRefusedError, PermissionError)
    return any(isinstance(one, sure) for one in _chain(err))


def _root(err: BaseException) -> BaseException:
    """The operating system's own error where there is one."""
    return next((one for one in _chain(err) if isinstance(one, OSError) and one.errno is not None), err)


def _innermost(err: BaseException) -> str:
    root = _root(err)
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    from requests.exceptions import Timeout

    if any(isinstance(one, Timeout) for one in _chain(err)):
        return f"no answer within {TIMEOUT} s"
    return str(err) or type(err).__name__
