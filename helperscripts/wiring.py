"""Wiring: the only file that sees both the core and its adapters. Imports each adapter when it is wanted."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from helperscripts.settings import Settings
from utilities.errors import AskerErred, DocumentFault, Fault, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.book import StoreClock
    from autoscaler.deployment import Adapter, Deployment
    from autoscaler.node import Node
    from autoscaler.ports import Balancer, Clock, Machine, Prober, Provider, Store
    from autoscaler.world import World
    from helperscripts.ask import Judging
    from providerscripts.catalogue import About
    from providerscripts.site import Site
    from providerscripts.store.journal import Noted, StoreJournal

__all__ = [
    "About",
    "Noted",
    "StoreJournal",
    "balancers",
    "check_store",
    "clock",
    "deployment",
    "journal",
    "known_adapters",
    "machine",
    "node",
    "open_store",
    "prober",
    "provider",
    "with_user_data",
    "world",
]

_OPTION = re.compile(r"(?:unknown (?:option|setting) )?'?([\w-]+)")  # what an adapter's fault begins with


def clock() -> Clock:
    """This machine's clock."""
    from utilities.clock import SystemClock

    return SystemClock()


def open_store(settings: Settings, make: bool = False, judging: Judging = "daily") -> Store:
    """The Store that the Settings name, judged for conditional writes. AskerErred, StoreUnreachable.

    `make`: the directory of a file Store is made when it is not there. `judging`: with races once a day, as those
    do who act; by the last verdict however old it is, as those do who only wish or look; or anew.
    """
    from providerscripts.store import url

    if not settings.store:
        raise AskerErred(
            "no Store is named: run `autoscaler init`, set AUTOSCALER_STORE, or say --store s3://BUCKET/PREFIX"
        )
    s3 = settings.s3
    if s3.profile and settings.store.startswith("s3:"):
        os.environ.setdefault("AWS_PROFILE", s3.profile)  # boto3's chain reads it there
    store = url.open_store(
        settings.store,
        clock(),
        make=make,
        endpoint=s3.endpoint,
        region=s3.region,
        access_key=_secret(settings, "access_key"),
        secret_key=_secret(settings, "secret_key"),
    )
    if store.conditional.value != "yes":
        from providerscripts.store import verdict

        judge = {"daily": verdict.remembered, "last": verdict.known, "anew": verdict.anew}[judging]
        judge(store, settings.state, clock())
    return store


def check_store(settings: Settings) -> None:
    """AskerErred when the Settings name no Store that could be. Nothing is asked of it."""
    from providerscripts.store import url

    with suppress(Unreachable):  # a well-formed URL
        url.open_store(settings.store or "", clock())


def _secret(settings: Settings, half: str) -> str | None:
    s3 = settings.s3
    inline = getattr(s3, half)
    if inline:
        return str(inline.reveal())
    file: Path | None = getattr(s3, f"{half}_file")
    if file:
        from security.modes import read_private

        return read_private(file).decode(errors="replace").strip()
    variable: str | None = getattr(s3, f"{half}_env")
    if variable:
        value = os.environ.get(variable)
        if not value:
            raise Unreachable(f"{settings.source}: {half}_env names {variable}, and it is not set here")
        return value
    return None


def deployment(store: Store, settings: Settings) -> Deployment:
    """deployment.yaml read strictly, hurried as the Settings say. DocumentFault when absent or at fault."""
    from autoscaler.deployment import KEY, read_deployment
    from utilities.documents import read_yaml

    found = store.get(KEY)
    where = f"{KEY} in {store.where}"
    if found is None:
        raise DocumentFault(where, ["there is none yet: `autoscaler init` writes it"])
    try:
        text = found.body.decode()
    except UnicodeDecodeError as err:
        raise DocumentFault(where, [f"is not UTF-8: {err}"]) from None
    read = read_deployment(read_yaml(text, where))
    if read.ladder.ssh is not None and settings.ssh_key is not None:
        # Which key logs in is this machine's business; the rest of the block all nodes share.
        ssh = replace(read.ladder.ssh, key=str(settings.ssh_key))
        read = replace(read, ladder=replace(read.ladder, ssh=ssh))
    return read.hurried(settings.hurry) if settings.hurry > 1 else read


def with_user_data(deployment: Deployment, store: Store) -> Deployment:
    """The same with the text of `server.user_data_file` as its user data, not a byte changed: for those who order.

    A name is an object of the Store, a path a file of this machine. DocumentFault when it is not there or is not
    UTF-8; StoreUnreachable.
    """
    name = deployment.server.get("user_data_file")
    if not isinstance(name, str):
        return deployment
    if name.startswith("/"):
        where, body = name, _disk_file(name)
    else:
        found, where = store.get(name), f"{store.where}/{name}"
        if found is None:
            copy = "aws s3 cp" if where.startswith("s3:") else "cp"
            put = f"`{copy} {Path(name).name} {where.removeprefix('file://')}`"
            raise DocumentFault("server.user_data_file", [f"there is no {where}: put it there ({put})"])
        body = found.body
    try:
        text = body.decode()
    except UnicodeDecodeError as err:
        raise DocumentFault("server.user_data_file", [f"{where} is not UTF-8: {err}"]) from None
    server = {key: value for key, value in deployment.server.items() if key != "user_data_file"}
    return replace(deployment, server={**server, "user_data": text})


def _disk_file(name: str) -> bytes:
    try:
        if not Path(name).is_file():
            raise FileNotFoundError(2, "there is no such file")
        return Path(name).read_bytes()
    except OSError as err:
        way = "every node needs a copy of its own, or name an object of the Store instead"
        told = f"{name} on {os.uname().nodename} cannot be read ({err.strerror}): {way}"
        raise DocumentFault("server.user_data_file", [told]) from None


def node(settings: Settings) -> Node:
    """Who we are. AskerErred when the Settings name no ordinal, Unreachable when this machine has no id."""
    from autoscaler.node import Node
    from helperscripts.version import version

    if settings.node is None:
        where = f"{settings.source} does not say" if settings.source else "nothing says"
        raise AskerErred(f"{where} which node this is: set `node: 1`, AUTOSCALER_NODE or --node 1")
    return Node(settings.node, machine(settings).identity(), os.uname().nodename, version())


def machine(settings: Settings) -> Machine:
    """This machine, rebooted as the Settings say."""
    from providerscripts.machine import ThisMachine

    return ThisMachine(settings.reboot, settings.boot_file, own_identity=settings.state / "machine-id")


def provider(settings: Settings, deployment: Deployment) -> Provider:
    """The Provider that the Deployment names, with its options. DocumentFault; Unreachable without its package."""
    from providerscripts import catalogue
    from providerscripts.fence import FencedProvider

    named = deployment.provider
    with _located(named):
        opened = catalogue.open_provider(named.name, deployment.pool, named.options, _site(settings))
    return FencedProvider(named.name, opened)


def balancers(settings: Settings, deployment: Deployment) -> tuple[Balancer, ...]:
    """The Balancers that the Deployment names, in its order. Errors as provider's."""
    from providerscripts import catalogue
    from providerscripts.fence import FencedBalancer

    site, built = _site(settings), []
    for named in deployment.balancers:
        with _located(named):
            built.append((named.name, catalogue.build_balancer(named.name, named.options, site)))
    names = Counter(str(balancer.name) for _, balancer in built)
    seen: Counter[str] = Counter()
    out = []
    for vendor, balancer in built:
        name = str(balancer.name)
        if names[name] > 1:  # one DNS name at two vendors: sentences and `audit` must tell them apart
            name = f"{name} ({vendor})"
            seen[name] += 1
            name += f" {seen[name]}" if seen[name] > 1 else ""
        out.append(FencedBalancer(balancer, name, clock()))
    return tuple(out)


@contextmanager
def _located(named: Adapter) -> Iterator[None]:
    """A fault in one of its options is told with the line where that stands in the Deployment."""
    try:
        yield
    except DocumentFault as fault:
        from autoscaler.deployment import KEY

        if not named.lines:
            raise
        whole, faults = named.lines.get("name", 0), []
        for line, sentence in fault.faults:
            key = found[1] if (found := _OPTION.match(sentence)) else ""
            faults.append(Fault(line or named.lines.get(key, whole), sentence))
        raise DocumentFault(fault.where if fault.where == KEY else f"{KEY}, {fault.where}", faults) from None


def _site(settings: Settings) -> Site:
    from providerscripts.site import Site

    return Site(clock(), settings.state)


def known_adapters() -> tuple[tuple[About, ...], tuple[About, ...]]:
    """(Providers, Balancers) that the Catalogue knows, the broken ones too."""
    from providerscripts import catalogue

    return catalogue.providers(), catalogue.balancers()


def journal(settings: Settings, store: Store, time: StoreClock) -> StoreJournal:
    """The Journal in this Store, by the Store's time; what is written bears our node, 0 when none is set."""
    from providerscripts.store.journal import StoreJournal

    return StoreJournal(store, settings.node or 0, time)


def prober() -> Prober:
    """Climbs the rungs over the network."""
    from providerscripts.probes.ladder import LadderProber

    return LadderProber()


def world(settings: Settings, deployment: Deployment, store: Store | None = None) -> World:
    """Every port, wired for real. `store`: one that is open already."""
    from autoscaler.rung import Ssh
    from autoscaler.world import World
    from cron.timetable import Timetable
    from providerscripts.crew import BoundedCrew
    from providerscripts.listings import NodeListings
    from providerscripts.remote.shell import SshShell
    from providerscripts.store.journal import StoreJournal

    store = store or open_store(settings)
    rents, named = provider(settings, deployment), deployment.provider
    return World(
        store=store,
        provider=rents,
        listings=NodeListings(rents, _site(settings), deployment.pool, (named.name, named.options)),
        balancers=balancers(settings, deployment),
        prober=prober(),
        shell=SshShell(deployment.ladder.ssh or Ssh(key=str(settings.ssh_key or ""))),
        machine=machine(settings),
        journal=StoreJournal(store, settings.node or 0, clock()),
        clock=clock(),
        crew=BoundedCrew(max(16, deployment.rules.builds_at_once)),
        timetable=Timetable(deployment.schedule),
    )
