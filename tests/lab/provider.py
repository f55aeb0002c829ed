"""`lab`: the Provider whose vendor is tests/lab/cloud.py. Nodes find it by an entry point, as a third party's.

Stands on the standard library alone, and posts each create exactly once.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, ServerState, Traits
from providerscripts.servers.untold import Untold
from providerscripts.site import Site
from utilities.errors import DocumentFault
from utilities.instant import Instant

__all__ = ["DESCRIPTION", "OPTIONAL", "REQUIRED", "TRAITS", "LabProvider", "install", "open_provider"]

DESCRIPTION = "the test lab's cloud: hosts in network namespaces"
REQUIRED = ("url",)
OPTIONAL = ("boot_time", "http_timeout", "listing_lag", "tail")
TRAITS = Traits(boot_time=60.0, listing_lag=10.0, tail=10.0, http_timeout=30.0, knows_host_key=True)


class LabProvider(Untold):
    """Speaks to the cloud at `url` for one pool."""

    def __init__(self, url: str, pool: str, traits: Traits = TRAITS) -> None:
        self.url, self.pool, self.traits = url, pool, traits

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """Complete, or ProviderUnreachable."""
        answer = self._ask("list", "GET", "/machines" if everything else f"/machines?label={quote(self.pool)}")
        machines = answer["machines"]
        if len(machines) != answer["total"]:
            raise ProviderUnreachable(f"{self.url} lists {len(machines)} of {answer['total']} machines")
        return tuple(_server(told) for told in machines)

    def create(self, order: Order) -> Server:
        """One POST."""
        return _server(self._ask("create", "POST", "/machines", {"name": order.name, "label": order.pool}))

    def get(self, id: str) -> Server | None:
        """None when the cloud says 404."""
        answer = self._ask("get", "GET", f"/machines/{quote(id)}", missing=None)
        return _server(answer) if answer is not None else None

    def delete(self, id: str) -> None:
        """Not there is success."""
        self._ask("delete", "DELETE", f"/machines/{quote(id)}", missing=None)

    def reboot(self, id: str) -> None:
        """The reset button."""
        self._ask("reboot", "POST", f"/machines/{quote(id)}/reboot")

    def label(self, id: str, pool: str | None) -> None:
        """Set our label, or take it off."""
        self._ask("label", "PUT", f"/machines/{quote(id)}/label", {"label": pool})

    def _ask(self, verb: str, method: str, path: str, body: object = None, missing: object = ...) -> Any:
        """The answer's JSON, or `missing` for a 404 where that is given."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            place.hostname or "", place.port or 80, timeout=self.traits.http_timeout
        )
        try:
            connection.connect()
        except OSError as err:
            raise ProviderUnreachable(f"{verb}: {self.url} cannot be reached: {err}") from None
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as err:
            raise _lost(verb, f"{err!r}") from None
        finally:
            connection.close()
        if status == 404 and missing is not ...:
            return missing
        if status >= 500:
            raise _lost(verb, f"HTTP {status}")
        if status >= 400:
            said = json.loads(text)
            if verb in ("list", "get"):
                raise ProviderUnreachable(f"{verb}: HTTP {status}: {said['error']}")
            raise Refused(f"{verb}: HTTP {status}: {said['error']}", kind=said["kind"])
        return json.loads(text) if text else None


def _lost(verb: str, why: str) -> Doubtful | ProviderUnreachable:
    """For a question it is unknown, for a deed in doubt."""
    if verb in ("list", "get"):
        return ProviderUnreachable(f"{verb}: no answer: {why}")
    return Doubtful(f"{verb}: no answer: {why}")


def _server(told: Mapping[str, Any]) -> Server:
    known = {state.value for state in ServerState}
    return Server(
        id=told["id"],
        name=told["name"],
        state=ServerState(told["state"]) if told["state"] in known else ServerState.UNKNOWN,
        address=told["address"],
        pool=told["label"],
        created=Instant(told["created"]),
        host_key=told["host_key"],
        detail=told["state"],
    )


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> LabProvider:
    """From the Deployment's words: `url`, and the traits that it may change, in seconds."""
    del site
    faults = [f"unknown setting {key!r}" for key in settings if key not in (*REQUIRED, *OPTIONAL)]
    if not isinstance(settings.get("url"), str):
        faults.append("url: where the cloud listens is missing")
    traits = {key: settings.get(key, getattr(TRAITS, key)) for key in OPTIONAL}
    faults += [f"{key}: expected seconds" for key, value in traits.items() if not isinstance(value, int | float)]
    if faults:
        raise DocumentFault("provider lab", faults)
    return LabProvider(str(settings["url"]), pool, Traits(knows_host_key=True, **traits))  # type: ignore[arg-type]


def install(folder: Path) -> None:
    """Make `lab` known to every Python that has `folder` on its path, as an installed distribution would."""
    info = folder / "lab_cloud-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[autoscaler.providers]\nlab = {__name__}\n")
