"""The Examination: what `doctor` looks at, one Check after another. A check that cannot be made is `unknown`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from helperscripts import wiring
from helperscripts.ask import Ask
from helperscripts.check import Check, Found, checks_of, tried
from helperscripts.stranded import stranded_in
from helperscripts.suppliers import balancer_checks, key_checks, provider_checks, same_account
from utilities.errors import DocumentFault, Trouble, Unreachable

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.ports import Provider, Store

__all__ = ["examine"]

_PROBE = {
    "yes": "it honours conditional writes: no two nodes can overwrite each other",
    "create-only": "it honours If-None-Match, not If-Match: each node serves only its own share, nobody takes over",
    "no": "it ignores conditional writes: each node serves only its own share, nobody takes over",
}


def examine(ask: Ask) -> Iterator[Check]:
    """Every check, as it is made. Nothing is changed, but for the probe's own keys, which it takes away."""
    return same_account(_checks(ask))


def _checks(ask: Ask) -> Iterator[Check]:
    yield from tried("settings", lambda: _settings(ask))
    yield from tried("state", lambda: _state(ask))
    store = None
    ask.judging = "anew"
    try:
        store = ask.store
        yield from _store(store)
    except Trouble as err:
        yield Check("store", Found.BAD, str(err), 3 if err.exit_code in (2, 3) else 4)
    deployment = None
    if store is not None:
        try:
            deployment = ask.deployment
            nodes = f"{deployment.nodes} node{'s' if deployment.nodes != 1 else ''}"
            told = f"pool {deployment.pool}, provider {deployment.provider.name}, {nodes}, mode {deployment.mode}"
            yield Check("deployment", Found.OK, told)
        except DocumentFault as fault:
            yield from (Check("deployment", Found.BAD, str(f), 3) for f in fault.faults)
        except Trouble as err:
            yield Check("deployment", Found.UNKNOWN, str(err), 4)
    if store is not None and deployment is not None:
        known, opened = deployment, store
        renting: list[Provider] = []
        for what, look in (
            ("profile", lambda: _profile(known, opened)),
            ("schedule", lambda: _schedule(ask)),
            ("documents", lambda: _documents(known, opened)),
            ("node", lambda: _node(ask, known, opened)),
            ("provider", lambda: provider_checks(ask, known, opened, renting)),
            ("host keys", lambda: key_checks(known, renting)),
            ("balancers", lambda: balancer_checks(ask, known)),
            ("ssh key", lambda: _key(ask, known)),
        ):
            yield from tried(what, look)
    yield from tried("reboot", lambda: _reboot(ask))
    yield from tried("hooks", lambda: _hooks(ask))
    yield from tried("crontab", lambda: _crontab(ask))


def _settings(ask: Ask) -> Iterator[Check]:
    settings = ask.settings
    told = str(settings.source) if settings.source else "no file; the environment and the command line"
    told += f": node {settings.node}" if settings.node else ": which node this is stands nowhere"
    told += f", all waiting divided by {settings.hurry}" if settings.hurry > 1 else ""
    yield Check("settings", Found.OK if settings.node else Found.NOTE, told)


def _state(ask: Ask) -> Iterator[Check]:
    import tempfile

    path = ask.state
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Written, for neither a full disk nor a mount that is read-only shows in the rights.
        descriptor, draft = tempfile.mkstemp(dir=path, prefix="doctor-")
        try:
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            os.unlink(draft)
    except OSError as err:
        told = f"{path} cannot be written ({err.strerror or err}): set AUTOSCALER_STATE or `state:` in settings"
        yield Check("state", Found.BAD, told, 3)
    else:
        yield Check("state", Found.OK, str(path))


def _store(store: Store) -> Iterator[Check]:
    from autoscaler.book import StoreClock
    from autoscaler.deployment import KEY, Deployment

    found = store.get(KEY)
    yield Check("store", Found.OK, store.where)
    verdict = store.conditional.value
    yield Check("probe", Found.OK if verdict == "yes" else Found.NOTE, f"{verdict}: {_PROBE[verdict]}")
    if found is None:
        yield Check("clock", Found.UNKNOWN, "the Store holds nothing yet whose answer would tell its time")
        return
    time = StoreClock(wiring.clock())
    time.hear(found.date)
    skew = time.skew()
    side = "ahead of" if skew > 0 else "behind"
    told = f"{abs(skew):.0f} s {side} the Store's" if abs(skew) >= 1 else "as the Store's"
    if abs(skew) > Deployment.skew:
        yield Check("clock", Found.BAD, f"{told}: set this machine's clock (timedatectl set-ntp true)", 4)
    else:
        yield Check("clock", Found.OK, told)


def _profile(deployment: Deployment, store: Store) -> Iterator[Check]:
    from autoscaler.book import StoreClock
    from autoscaler.observe import read_wish
    from autoscaler.switch import read_switch

    time = StoreClock(wiring.clock())
    wish = read_wish(store, deployment, time)
    if wish.fault is not None:
        raise wish.fault
    yield Check("profile", Found.OK, f"{wish.because}; at least {wish.limits.min}, at most {wish.limits.max}")
    for sentence in stranded_in(store, wish.nodes):
        yield Check("shares", Found.NOTE, sentence)
    switch = read_switch(store, time.now())
    if switch is not None:
        yield Check("switch", Found.NOTE, switch.sentence())


def _documents(deployment: Deployment, store: Store) -> Iterator[Check]:
    from helperscripts.survey import survey

    seen = survey(store, deployment)
    yield from (Check("documents", Found.BAD, fault, 3) for fault in seen.faults)
    if not seen.faults:
        told = f"{len(seen.shares)} of shares/ and {len(seen.hearts)} of nodes/ can be read"
        yield Check("documents", Found.OK, told)


def _schedule(ask: Ask) -> Iterator[Check]:
    from helperscripts.findings import schedule_findings

    found = schedule_findings(ask)
    for one in found:
        code = 3 if one.level == "error" else 0
        yield Check("schedule", Found.BAD if code else Found.NOTE, f"deployment.yaml, {one.sentence()}", code)
    if not found:
        yield Check("schedule", Found.OK, ", ".join(e.name for e in ask.deployment.schedule) or "there is none")


def _node(ask: Ask, deployment: Deployment, store: Store) -> Iterator[Check]:
    from autoscaler.book import StoreClock
    from autoscaler.node import key_of, read_heartbeat
    from autoscaler.observe import read_wish

    node = wiring.node(ask.settings)
    time = StoreClock(wiring.clock())
    nodes = read_wish(store, deployment, time).nodes
    if node.ordinal > nodes:
        stranded = any(f"share {node.ordinal} " in sentence for sentence in stranded_in(store, nodes))
        told = f"this is node {node.ordinal} and there are {nodes}: it has no share"
        if stranded:
            yield Check("node", Found.NOTE, f"{told} but what is left of an old one")
        else:
            yield Check("node", Found.BAD, told, 3)
        return
    key = key_of(node.ordinal)
    found = store.get(key)
    heart = read_heartbeat(found.body, key) if found is not None else None
    if heart is not None and heart.machine not in ("", node.machine):
        told = f"{heart.host or heart.machine} was heard as node {node.ordinal} too: give each its own number"
        yield Check("node", Found.BAD, told, 3)
    else:
        yield Check("node", Found.OK, f"{node.ordinal} of {nodes}, machine id {node.machine[:8]}")


def _key(ask: Ask, deployment: Deployment) -> Iterator[Check]:
    path = ask.settings.ssh_key
    if deployment.ladder.ssh is None:
        yield Check("ssh key", Found.OK, "not needed")
    elif path is None:
        yield Check("ssh key", Found.BAD, "the ladder has an ssh block and the settings name no `ssh_key:`", 3)
    elif not path.exists() and deployment.provider.name == "local":
        yield Check("ssh key", Found.NOTE, f"{path}: made with the first webserver")
    else:
        from security.keys import read_key

        try:
            yield Check("ssh key", Found.OK, f"{path}: {read_key(path).get_name()}")
        except Unreachable as err:
            yield Check("ssh key", Found.BAD, str(err), 3)


def _reboot(ask: Ask) -> Iterator[Check]:
    argv = ask.settings.reboot
    if wiring.machine(ask.settings).can_reboot():
        command = " ".join(argv) if argv else "shutdown -r now"
        yield Check("reboot", Found.OK, f"`{command}` once a cycle has earned it")
    else:
        yield Check("reboot", Found.OK, "never: " + ("so the settings say" if argv == () else "no command is set"))


def _hooks(ask: Ask) -> Iterator[Check]:
    from helperscripts.hooks import missing

    for hook, argv in (("notify", ask.settings.notify), ("heartbeat", ask.settings.heartbeat)):
        if argv:
            wrong = missing(argv[0])
            yield Check(hook, Found.BAD if wrong else Found.OK, wrong or argv[0], 3 if wrong else 0)


def _crontab(ask: Ask) -> Iterator[Check]:
    from helperscripts.tabcheck import check_tab

    return checks_of("crontab", check_tab(ask))
