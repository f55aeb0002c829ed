"""DockerProvider: webservers that are containers of one Docker engine. docs/docker.md tells how to use it.

A create is one `POST /containers/create`, and a start of what it made; the engine gives no name twice. Killed
between the two it leaves a container in the state `created`, which is listed as `creating`: it is adopted by its
name, nobody starts it, and past `rules: creating` it is destroyed. Without `ports` a container is reached at its
own address, as it is from the engine's machine; with `ports` at an address and two ports of the engine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoscaler.ports import Clock, Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Server, ServerState, Traits
from providerscripts.options import Options
from providerscripts.rest.extras import LABEL
from providerscripts.servers.docker_container import asked_ports, is_silent, recorded_ports, server_of, summary_of
from providerscripts.servers.docker_engine import Engine, status_of
from providerscripts.servers.docker_keys import HostKeys
from providerscripts.servers.docker_order import faults_of_address, read_order
from providerscripts.servers.docker_ports import Ports, read_range
from providerscripts.servers.untold import Untold
from providerscripts.site import Site
from utilities.errors import Trouble

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "DockerProvider", "open_provider"]

DESCRIPTION = "webservers that are containers of one Docker engine"
REQUIRED = ()
OPTIONAL = ("host", "ports", "publish")
SETTINGS = {
    "host": "the engine's URL, if not the one this machine's docker uses",
    "ports": "a range such as 20000-20099: each container publishes its ports there",
    "publish": "the address that they are published on",
}
SERVER = ("image",)
EXTRA = "docker"
TRAITS = Traits(
    boot_time=10.0,
    listing_lag=1.0,  # an engine lists what it made at once
    tail=30.0,  # a slow disk: it may make what it was asked for after we gave up
    unique_names=True,
    relabels=False,
    knows_host_key=True,  # where the image has an sshd with a key in /etc/ssh
)

_ID = re.compile(r"[0-9a-f]{64}")  # the engine would take a name or the beginning of an id as well; we do not
_STOP = 5  # seconds that a container has to end before a reboot kills it


class DockerProvider(Untold):
    """`ports`: the range to publish on `publish`; None: containers are reached at their own addresses."""

    def __init__(
        self, engine: Engine, pool: str, clock: Clock, keys: HostKeys, ports: Ports | None = None, publish: str = ""
    ) -> None:
        self.traits, self.pool = replace(TRAITS, place=engine.host), pool
        self._engine, self._clock, self._keys, self._ports, self._publish = engine, clock, keys, ports, publish

    # --- questions ---

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """All containers of our label, in any state, oldest first; complete, or ProviderUnreachable."""
        found = [self._server(s) for s in self._summaries({} if everything else {"label": f"{LABEL}={self.pool}"})]
        self._keys.forget_all_but({server.id for server in found})
        return tuple(sorted(found, key=lambda server: (server.created or 0.0, server.name)))

    def get(self, id: str) -> Server | None:
        """The container, or None when the engine has none of this id. ProviderUnreachable."""
        inspected = self._inspected(id)
        if inspected is None:
            return None
        try:
            return self._server(summary_of(inspected))
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise self._unread(err) from err

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes that bear our label and that no container uses. ProviderUnreachable."""
        filters = {"label": f"{LABEL}={self.pool}", "dangling": True}
        told = self._engine.ask(lambda client: client.volumes(filters=filters))
        try:
            return tuple(Leftover("volume", str(v["Name"]), str(v["Name"])) for v in told["Volumes"] or ())
        except (KeyError, TypeError) as err:
            raise self._unread(err) from err

    def examine(self, order: Order) -> tuple[str, ...]:
        """What is wrong with the order itself, and whether the engine has its image and network."""
        wanted, wrong = read_order(order)
        found = list(wrong)
        if order.image and not self._has(lambda client: client.inspect_image(order.image)):
            found.append(self._no_image(order.image))
        network = wanted.body["HostConfig"].get("NetworkMode")
        if network and not self._has(lambda client: client.inspect_network(network)):
            known = self._engine.ask(lambda client: [str(n["Name"]) for n in client.networks()])
            found.append(f"the engine has no network {network!r}; it has {', '.join(sorted(known))}")
        return tuple(found)

    # --- deeds ---

    def create(self, order: Order) -> Server:
        """A container, made and started. Refused, Doubtful, ProviderUnreachable.

        One that the engine made and says it cannot start is removed again, and the create Refused.
        """
        wanted, wrong = read_order(order)
        if wrong:
            raise Refused("; ".join(wrong), "invalid")
        if self._ports is None:
            server = self._started(order, self._made(order, wanted.unpublished()), ())
            return replace(server, port=wanted.web, ssh_port=wanted.ssh)
        drawn = self._ports.promise(self._taken(self._summaries({})))
        if drawn is None:
            first, last = self._ports.every[0], self._ports.every[-1]
            raise Refused(f"no two ports of {first}-{last} are free on {self._engine.host}: widen `ports`", "quota")
        try:
            made = self._started(order, self._made(order, wanted.published(self._publish, *drawn)), drawn)
        except (Refused, ProviderUnreachable):
            self._ports.release(drawn)
            raise
        self._ports.release(drawn)  # in doubt they stay promised: the container may be made late
        return made

    def delete(self, id: str) -> None:
        """Kill and remove it, with its nameless volumes; not there, or being removed, is success."""
        if not _ID.fullmatch(id):
            return
        try:
            self._engine.tell(lambda client: client.remove_container(id, v=True, force=True))
        except Refused as err:
            if status_of(err.__cause__ or err) == 404:
                return
            if status_of(err.__cause__ or err) == 409 and "already in progress" in str(err):
                return
            raise

    def reboot(self, id: str) -> None:
        """Restart it. Refused, Doubtful, ProviderUnreachable."""
        if not _ID.fullmatch(id):
            raise Refused(f"the engine has no container {id}")
        self._engine.tell(lambda client: client.restart(id, timeout=_STOP))

    def label(self, id: str, pool: str | None) -> None:
        """Refused, unless it is so already: an engine changes no container's labels."""
        inspected = self._inspected(id)
        if inspected is None:
            raise Refused(f"the engine has no container {id}")
        labels = (inspected.get("Config") or {}).get("Labels") or {}
        if labels.get(LABEL) != pool:
            way = f"make it anew with `--label {LABEL}={pool}`" if pool else "remove it, or make it anew without"
            raise Refused(f"docker cannot change the labels of a container that exists: {way}")

    # --- parts ---

    def _made(self, order: Order, body: Mapping[str, Any]) -> str:
        """The id of the container that one POST made."""
        try:
            made = self._engine.tell(lambda client: client.create_container_from_config(body, order.name))
        except Refused as err:
            if status_of(err.__cause__ or err) == 404 and "No such image" in str(err):
                raise Refused(self._no_image(order.image), "invalid") from err
            raise
        id = made.get("Id") if isinstance(made, dict) else None
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise Doubtful(f"docker at {self._engine.host}: it answered a create with {str(made)[:200]!r}")
        return id

    def _started(self, order: Order, id: str, ports: Sequence[int]) -> Server:
        """It runs. From here on whatever is not certain is Doubtful: the container is there."""
        try:
            others = self._taken(s for s in self._summaries({}) if s["Id"] != id) if ports else set()
        except ProviderUnreachable as err:
            raise Doubtful(f"{order.name} is made and not started: {err}") from err
        if clash := others & set(ports):
            self._unmade(order, id)
            raise Refused(f"another took port {min(clash)} meanwhile: the next one draws again", "rate")
        try:
            self._engine.tell(lambda client: client.start(id))
        except ProviderUnreachable as err:
            raise Doubtful(f"{order.name} is made and not started: {err}") from err
        except (Refused, Doubtful) as err:
            if status_of(err.__cause__ or err) is None:
                raise
            self._unmade(order, id)  # the engine said that it does not start
            taken = "already allocated" in str(err) or "address already in use" in str(err)
            kind = "rate" if taken else "invalid"  # a port lost to another says nothing of what we build
            raise Refused(f"{order.name} did not start and is removed: {err}", kind) from err
        web, ssh = (ports[0], ports[1]) if ports else (None, None)
        address = self._publish if ports else None
        return Server(id, order.name, ServerState.CREATING, address, web, ssh, order.pool)

    def _unmade(self, order: Order, id: str) -> None:
        """Remove what shall not start. Doubtful when it may still be there."""
        try:
            self.delete(id)
        except Trouble as err:
            raise Doubtful(f"{order.name} is made, does not start, and could not be removed: {err}") from err

    def _taken(self, summaries: Iterable[Mapping[str, Any]]) -> set[int]:
        """Every port that these hold or are given when they start. ProviderUnreachable."""
        told = tuple(summaries)
        found = recorded_ports(told)
        for summary in filter(is_silent, told):
            inspected = self._inspected(str(summary["Id"]))  # None: it went meanwhile
            try:
                found |= asked_ports(inspected) if inspected else set()
            except (KeyError, TypeError, AttributeError) as err:
                raise self._unread(err) from err
        return found

    def _summaries(self, filters: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
        told = self._engine.ask(lambda client: client.containers(all=True, filters=dict(filters)))
        if not isinstance(told, list) or not all(isinstance(s, dict) and "Labels" in s and "Id" in s for s in told):
            raise ProviderUnreachable(f"docker at {self._engine.host}: its listing is none: {str(told)[:200]!r}")
        return tuple(told)

    def _server(self, summary: Mapping[str, Any]) -> Server:
        try:
            server = server_of(summary)
            if server.pool != self.pool or server.state is not ServerState.RUNNING:
                return server
            key = self._keys.of(server.id, self._clock.now() - (server.created or 0.0))
            return server_of(summary, key)
        except (KeyError, TypeError, ValueError) as err:
            raise self._unread(err) from err

    def _inspected(self, id: str) -> Mapping[str, Any] | None:
        if not _ID.fullmatch(id):
            return None
        try:
            told = self._engine.ask(lambda client: client.inspect_container(id))
        except Exception as err:
            if status_of(err) == 404:
                return None
            raise
        if not isinstance(told, dict) or told.get("Id") != id:
            raise ProviderUnreachable(f"docker at {self._engine.host}: asked for {id} it answered another")
        return told

    def _has(self, question: Any) -> bool:
        try:
            self._engine.ask(question)
        except Exception as err:
            if status_of(err) == 404:
                return False
            raise
        return True

    def _no_image(self, image: str) -> str:
        return f"the engine has no image {image!r}: `docker -H {self._engine.host} pull {image}` brings it there"

    def _unread(self, err: Exception) -> ProviderUnreachable:
        return ProviderUnreachable(f"docker at {self._engine.host}: an answer that is not understood: {err!r}")


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> DockerProvider:
    """From `provider:` of deployment.yaml. DocumentFault; ModuleNotFoundError without the package."""
    read = Options("provider docker", settings, REQUIRED, OPTIONAL)
    host, asked = read.word("host", ""), read.word("ports", "")
    publish = read.word("publish", "127.0.0.1")
    every, wrong = read_range(asked) if asked else (range(0), [])
    read.faults += wrong
    if asked:
        read.faults += faults_of_address(publish)
    elif "publish" in settings:
        read.faults.append("publish: nothing is published without `ports`")
    if host and "://" not in host:
        read.faults.append(f"host: expected a URL such as unix:///var/run/docker.sock, found {host!r}")
    read.done()
    import docker  # noqa: F401 - that it is missing is said now, and not in the middle of a create

    engine = Engine(host)
    keys = HostKeys(engine, site.state / f"docker-keys-{pool}.json" if site.state else None)
    return DockerProvider(engine, pool, site.clock, keys, Ports(every) if asked else None, publish)
