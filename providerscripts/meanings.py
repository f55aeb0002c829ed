"""Meanings: a line for each setting of an adapter, for people who choose one. Adapters may say more as SETTINGS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["COMMON", "meanings"]

#: What means the same wherever it stands.
COMMON: Mapping[str, str] = {
    "token_env": "the environment variable that holds the token, if not the vendor's usual one",
    "token_file": "the file (mode 0600) that holds the token, on every node; cron knows no variables of your shell",
    "key_env": "the environment variable that holds the API key",
    "key_file": "the file (mode 0600) that holds the API key, on every node",
    "secret_env": "the environment variable that holds the API secret",
    "secret_file": "the file (mode 0600) that holds the API secret, on every node",
    "profile": "which profile of this machine's AWS credentials",
    "endpoint": "another base URL than the vendor's",
    "as": "what sentences call it, where there are several",
    "drain_seconds": "how long the visitors of a leaving webserver are waited for at most",
    "zone": "the zone, as the vendor names it",
    "api_zone": "which of the vendor's zones is asked, where its API has several",
    "zone_id": "the zone's id at the vendor, where its name alone is not clear",
    "record": "the name inside the zone whose addresses are the webservers, such as www; @ is the zone itself",
    "ttl": "seconds that resolvers may remember an answer",
}


def meanings(adapter: Any) -> dict[str, str]:
    """The adapter's settings, the required ones first, each with its line; "" where nobody wrote one."""
    own = dict(getattr(adapter, "SETTINGS", {}))
    keys = (*getattr(adapter, "REQUIRED", ()), *getattr(adapter, "OPTIONAL", ()))
    return {str(key): str(own.get(key) or COMMON.get(key, "")) for key in keys}
