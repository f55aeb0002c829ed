"""The Deadline of an answer's head. A socket's timeout begins anew with each byte: a head that drips has none."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse

__all__ = ["Timely"]


class _Timely(HTTPConnection):
    def getresponse(self) -> BaseHTTPResponse:  # type: ignore[override]
        """The head, whole within the read timeout. TimeoutError."""
        over = threading.Event()
        timer = threading.Timer(float(self.timeout or 0), self._end, (self.sock, over))
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        except Exception:
            if over.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        if over.is_set():  # a head that was cut off looks like a whole one
            raise TimeoutError
        return answer

    def _end(self, connection: Any, over: threading.Event) -> None:
        over.set()
        with suppress(OSError, TypeError):
            # Of the plain socket, below TLS: the thread that waits there finds its end, whatever layer it is in.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _TimelyTLS(_Timely, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timely


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _TimelyTLS


class Timely(HTTPAdapter):
    """Connections whose answer's head is there within the read timeout, through a proxy too."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As requests does, with ours."""
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        """As requests does, with ours."""
        manager = super().proxy_manager_for(proxy, **more)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}
        return manager
