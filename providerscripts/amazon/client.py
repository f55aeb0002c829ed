"""A client of one of Amazon's services. boto3 is imported when the first one is opened: it costs 0.2 s."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["CONNECT", "READ", "READS", "Clients"]

CONNECT, READ = 5.0, 24.0  # seconds; together inside the 30 s that a Provider's Traits allow a request
READS = 3  # how often a question is asked in all; a deed is one request


class Clients:
    """Of one account, found by boto3's own chain: environment, profile, role of the machine. Thread-safe.

    `endpoint` is the base URL of another cloud that speaks the same, and of a test.
    """

    def __init__(self, region: str | None, profile: str = "", endpoint: str = "") -> None:
        self.region, self.endpoint = region, endpoint
        self._profile = profile or None
        self._lock = threading.Lock()
        self._session: Any = None
        self._open: dict[tuple[str, bool, str | None], Any] = {}

    def questions(self, service: str, region: str | None = None) -> Any:
        """One that asks again where a request was lost, throttled, or answered with a 5xx."""
        return self._client(service, False, region)

    def deeds(self, service: str) -> Any:
        """One that sends each request exactly once, whatever comes of it."""
        return self._client(service, True, None)

    def _client(self, service: str, once: bool, region: str | None) -> Any:
        with self._lock:
            key = service, once, region
            if key not in self._open:
                self._open[key] = self._made(service, once, region or self.region)
            return self._open[key]

    def _made(self, service: str, once: bool, region: str | None) -> Any:
        from boto3.session import Session
        from botocore.config import Config

        if self._session is None:
            self._session = Session(profile_name=self._profile)
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint or None,
            config=Config(
                connect_timeout=CONNECT,
                read_timeout=READ,
                retries={"mode": "standard", "total_max_attempts": 1 if once else READS},
                max_pool_connections=20,
            ),
        )
