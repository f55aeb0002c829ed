"""CommandProvider: any vendor, by a program of the operator's. docs/command-provider.md tells its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, Traits
from providerscripts.options import Options
from providerscripts.servers.command_answer import NotUnderstood, read_listing, read_server
from providerscripts.servers.command_run import PLACEHOLDERS, Ended, filled, run, strange_placeholders
from providerscripts.servers.untold import Untold
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "CommandProvider", "open_provider"]

DESCRIPTION = "any vendor, by a program of yours that speaks JSON"
VERBS = {
    "create": ("name", "pool", "image", "size", "region"),
    "list": ("pool",),
    "delete": ("id", "pool"),
    "get": ("id", "pool"),
    "reboot": ("id", "pool"),
    "label": ("id", "pool"),
}
REQUIRED = ("create", "list", "delete")
_KINDS = ("unique_names", "host_keys")  # true or false: what its vendor is like
OPTIONAL = ("get", "reboot", "label", "timeout", "billing", "boot_time", "listing_lag", "tail", *_KINDS)
SETTINGS = {
    "create": "the program that makes a server, as a list of words; {name}, {size} ... are filled in",
    "list": "the program that lists them",
    "delete": "the program that ends one, by its {id}",
    "get": "the program that tells of one; without, the listing does",
    "reboot": "the program that restarts one",
    "label": "the program that sets our label or takes it off",
    "timeout": "seconds for one run",
    "billing": "what a started period is: second or hour",
    "boot_time": "usual seconds from create until it runs",
    "listing_lag": "seconds by which the listing may be behind",
    "tail": "seconds that the vendor may still act after the program was given up",
    "unique_names": "true: the vendor refuses a second server of a name",
    "host_keys": "true: the program tells host keys",
}
EXTRA = ""
TIMEOUT = 60.0  # seconds for one run
TRAITS = Traits(http_timeout=TIMEOUT + 5.0)  # a run is killed before the core gives up on it
FORMAT = 1


@dataclass(frozen=True)
class CommandProvider(Untold):
    """`commands`: an argv for each verb it has; `timeout`: seconds for one run."""

    pool: str
    commands: Mapping[str, Sequence[str]]
    timeout: float = TIMEOUT
    traits: Traits = TRAITS

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """What the program lists; without `everything`, those of our pool. Complete, or ProviderUnreachable."""
        ended = self._ask("list", {"everything": everything})
        try:
            servers = read_listing(ended.said)
        except NotUnderstood as err:
            raise self._unread("list", err) from err
        return tuple(server for server in servers if everything or server.pool == self.pool)

    def get(self, id: str) -> Server | None:
        """What the program says of this id; without a `get` of its own, what its listing of everything does."""
        if "get" not in self.commands:
            return next((server for server in self.list(everything=True) if server.id == id), None)
        ended = self._run("get", {"id": id})
        if ended.error == "not found":
            return None
        self._answered("get", ended)
        try:
            if ended.said is None or set(ended.said) != {"server"}:
                raise NotUnderstood(f'expected {{"server": {{...}}}}, found {str(ended.said)[:120]}')
            server = read_server(ended.said["server"])
            if server.id != id:
                raise NotUnderstood(f"asked for {id} it tells of {server.id}")
        except NotUnderstood as err:
            raise self._unread("get", err) from err
        return server

    def create(self, order: Order) -> Server:
        """One run. Refused, Doubtful, ProviderUnreachable: it could not be started, or says it never asked."""
        words = {key: getattr(order, key) for key in ("name", "token", "image", "size", "region", "user_data")}
        ended = self._tell("create", {**words, "options": dict(order.options)}, words)
        try:
            if ended.said is None or set(ended.said) != {"server"}:
                raise NotUnderstood(f'expected {{"server": {{...}}}}, found {str(ended.said)[:120]}')
            server = read_server(ended.said["server"])
            if (server.name, server.pool) != (order.name, self.pool):
                raise NotUnderstood(f"ordered {order.name} of {self.pool}, told of {server.name} of {server.pool}")
        except NotUnderstood as err:
            raise Doubtful(f"{self._program('create')}: {err}") from err
        return server

    def delete(self, id: str) -> None:
        """One run; "not found" is success. Refused, Doubtful, ProviderUnreachable."""
        self._tell("delete", {"id": id}, absent_is_done=True)

    def reboot(self, id: str) -> None:
        """One run. Refused, also where the Deployment names no such command; Doubtful, ProviderUnreachable."""
        self._tell("reboot", {"id": id})

    def label(self, id: str, pool: str | None) -> None:
        """One run. Refused, also where the Deployment names no such command; Doubtful, ProviderUnreachable."""
        self._tell("label", {"id": id, "label": pool})

    # --- parts ---

    def _program(self, verb: str) -> str:
        return f"{verb} by {self.commands[verb][0]}"

    def _run(self, verb: str, told: Mapping[str, Any], words: Mapping[str, str] | None = None) -> Ended:
        values = {**(words or {}), "pool": self.pool, **({"id": told["id"]} if "id" in told else {})}
        document = {"format": FORMAT, "verb": verb, "pool": self.pool, **told}
        return run(filled(self.commands[verb], values), document, self.timeout)

    def _ask(self, verb: str, told: Mapping[str, Any]) -> Ended:
        ended = self._run(verb, told)
        self._answered(verb, ended)
        return ended

    def _answered(self, verb: str, ended: Ended) -> None:
        """ProviderUnreachable unless it is done: a question has no refusal, only no answer."""
        if not ended.readable and ended.code == 0:
            raise self._unread(verb, NotUnderstood("its answer is no JSON object"))
        if not ended.done:
            raise ProviderUnreachable(f"{self._program(verb)}: {ended.words}")

    def _tell(
        self, verb: str, told: Mapping[str, Any], words: Mapping[str, str] | None = None, absent_is_done: bool = False
    ) -> Ended:
        if verb not in self.commands:
            raise Refused(f"`provider:` of deployment.yaml names no command to {verb}")
        ended = self._run(verb, told, words)
        if ended.done or (absent_is_done and ended.error == "not found"):
            return ended
        said = f"{self._program(verb)}: {ended.words}"
        if verb == "create" and ended.said and ended.said.get("server") is not None:
            raise Doubtful(f"{said}; it tells a server all the same, so one may have been made")
        if ended.error == "unreachable":
            raise ProviderUnreachable(said)
        if ended.error is not None:
            raise Refused(said, "invalid" if ended.error == "not found" else ended.error)
        if ended.code == 0:
            said = f"{self._program(verb)}: exit code 0, and an answer that does not say so"
        raise Doubtful(said)

    def _unread(self, verb: str, err: NotUnderstood) -> ProviderUnreachable:
        return ProviderUnreachable(f"{self._program(verb)}: its answer is not understood: {err}")


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> CommandProvider:
    """From `provider:` of deployment.yaml. DocumentFault. No program is run."""
    del site
    read = Options("provider command", settings, REQUIRED, OPTIONAL)
    commands = {verb: words for verb in VERBS if (words := read.command(verb))}
    for verb, words in commands.items():
        for place in strange_placeholders(words, VERBS[verb]):
            known = ", ".join(f"{{{word}}}" for word in PLACEHOLDERS if word in VERBS[verb])
            read.faults.append(f"{verb}: it has no {{{place}}}; there are {known}")
        if "{" in words[0]:
            read.faults.append(f"{verb}: its program {words[0]!r} must not depend on what is asked")
    timeout = read.seconds("timeout", TIMEOUT)
    if timeout <= 0:
        read.faults.append("timeout: must be longer than 0 s")
    unique, keys = (settings.get(kind) or False for kind in _KINDS)
    for kind, value in zip(_KINDS, (unique, keys), strict=True):
        if not isinstance(value, bool):
            read.faults.append(f"{kind}: expected true or false, found {value!r}")
    traits = replace(
        TRAITS,
        http_timeout=timeout + 5.0,
        billing=read.choice("billing", ("second", "hour"), TRAITS.billing),
        boot_time=read.seconds("boot_time", TRAITS.boot_time),
        listing_lag=read.seconds("listing_lag", TRAITS.listing_lag),
        tail=read.seconds("tail", TRAITS.tail),
        unique_names=bool(unique),
        knows_host_key=bool(keys),
        relabels="label" in commands,
    )
    read.done()
    return CommandProvider(pool, commands, timeout, traits)
