"""The LadderProber: asks one rung of many webservers at once, by whichever probe the rung needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.ports import Target
from autoscaler.reading import NOT_ASKED, Heard, Reading, RungName
from autoscaler.rung import Rung, Ssh
from providerscripts.crew import BoundedCrew
from providerscripts.probes import http, tcp
from providerscripts.probes.exchange import get_all
from utilities.errors import Unreachable

if TYPE_CHECKING:
    import ssl

    import paramiko

    from autoscaler.rung import Http
    from providerscripts.remote.session import Session

__all__ = ["LadderProber"]

_LOOK = 2.0  # seconds a `known` may spend on the command of `built`
_FRESH = 60.0  # seconds an answer found so may be used


class LadderProber:
    """Fulfils the port Prober.

    Keeps no connection open. Once logged in for `known`, it runs the command of `built` too and keeps
    that Reading, which the next `built` of the same webserver takes (once, within 60 s): a climb logs in
    once, and a large fleet costs a Reading each, not an open connection each.
    """

    def __init__(self, ssh_width: int = 32, http_width: int = 64, authorities: str | None = None) -> None:
        """`authorities`: a PEM file to trust for `tls: verified` instead of the system's."""
        self._ssh_crew = BoundedCrew(ssh_width, "probe-ssh")
        self._http_crew = BoundedCrew(http_width, "probe-http")
        self._authorities = authorities
        self._contexts: dict[str, ssl.SSLContext | None] = {}
        self._keys: dict[str, paramiko.PKey] = {}
        self._looked: dict[tuple[Target, Ssh], tuple[float, Reading]] = {}

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        """One Reading for each target's name, all within `deadline` seconds. Never raises for a target.

        Each has the rung's patience from its first packet. One that the deadline reached first is UNKNOWN,
        "not asked within the Round's time": only whoever kept silent for its whole patience is SILENT.
        Names must differ. ValueError for LISTED, which is the Provider's to answer.
        """
        end = time.monotonic() + deadline
        if rung.name is RungName.LISTED:
            raise ValueError("the Provider answers `listed`, no probe does")
        if not targets:
            return {}
        if rung.name is RungName.REACHABLE:
            return tcp.connect_all(targets, rung.patience, deadline)
        if rung.name in (RungName.KNOWN, RungName.BUILT):
            return self._ask_ssh(rung, targets, end)
        return self._ask_http(rung, targets, end)

    def first_keys(self, targets: Sequence[Target], patience: float) -> dict[str, str]:
        """The host key each shows at this moment, by name; who shows none within `patience` seconds is missing."""
        from providerscripts.remote.session import seen_key

        def job(target: Target) -> Callable[[], str]:
            return lambda: seen_key(target.address, target.ssh_port, patience)

        seen = self._ssh_crew.all({target.name: job(target) for target in targets}, patience + 1.0)
        return {name: key for name, key in seen.items() if isinstance(key, str)}

    def close(self) -> None:
        """Forget what was found ahead. The prober can be used on."""
        self._looked.clear()

    def _ask_http(self, rung: Rung, targets: Sequence[Target], end: float) -> dict[str, Reading]:
        if rung.pause > 0:
            time.sleep(max(0.0, min(rung.pause, end - time.monotonic())))
        try:
            context = self._context(rung.http)
        except (OSError, ValueError) as err:
            return _all_unknown(rung, targets, f"TLS cannot be set up on this node: {err}")
        if context is None:
            return get_all(rung, targets, end)
        return self._visit(
            self._http_crew,
            rung,
            targets,
            end,
            lambda target, until: http.get(rung.name, target, rung.http, context, until),
        )

    def _ask_ssh(self, rung: Rung, targets: Sequence[Target], end: float) -> dict[str, Reading]:
        from providerscripts.probes import ssh

        asked = [target for target in targets if target.pin is not None]
        readings = _all_unknown(rung, [target for target in targets if target.pin is None], "no pin")
        if not asked:
            return readings
        try:
            key = self._key(rung.ssh)
        except Unreachable as err:
            return readings | _all_unknown(rung, asked, str(err))
        self._forget_old()
        if rung.name is RungName.BUILT:
            ahead = {target.name: found for target in asked if (found := self._found(target, rung.ssh))}
            readings |= ahead
            asked = [target for target in asked if target.name not in ahead]
            return readings | self._visit(
                self._ssh_crew,
                rung,
                asked,
                end,
                lambda target, until: ssh.built(target, rung.ssh, key, until),
            )
        early: dict[str, Reading] = {}

        def climb(target: Target, until: float) -> Reading:
            def look(session: Session, reading: Reading) -> None:
                early[target.name] = reading  # stands, whatever becomes of the look
                enough = min(time.monotonic() + _LOOK, end)
                found = ssh.built(target, rung.ssh, key, enough, session)
                # after any other answer, `built` asks by itself and with all its patience
                if found.heard in (Heard.GOOD, Heard.BAD, Heard.NOT_YET):
                    self._looked[target, rung.ssh] = (time.monotonic(), found)

            self._looked.pop((target, rung.ssh), None)
            reading = ssh.known(target, rung.ssh, key, until, look)
            return early.get(target.name, reading)

        return readings | self._visit(self._ssh_crew, rung, asked, end, climb) | early

    def _visit(
        self,
        crew: BoundedCrew,
        rung: Rung,
        targets: Sequence[Target],
        end: float,
        probe: Callable[[Target, float], Reading],
    ) -> dict[str, Reading]:
        def job(target: Target) -> Callable[[], Reading]:
            def ask() -> Reading:
                whole = time.monotonic() + rung.patience
                reading = probe(target, min(whole, end))
                if reading.heard is Heard.SILENT and whole > end:
                    return _unknown(rung, NOT_ASKED)
                return reading

            return ask

        answers = crew.all({target.name: job(target) for target in targets}, end - time.monotonic())
        return {name: self._read(rung, answer) for name, answer in answers.items()}

    def _read(self, rung: Rung, answer: Reading | Exception) -> Reading:
        if isinstance(answer, Reading):
            return answer
        if isinstance(answer, TimeoutError):
            return _unknown(rung, NOT_ASKED)
        # A fault of ours in one probe must not take the Round with it; it is kept in what is said.
        return _unknown(rung, f"the probe itself failed: {type(answer).__name__}: {answer}")

    def _context(self, wish: Http) -> ssl.SSLContext | None:
        if wish.tls not in self._contexts:
            self._contexts[wish.tls] = http.tls_context(wish, self._authorities)
        return self._contexts[wish.tls]

    def _key(self, ssh: Ssh) -> paramiko.PKey:
        from security.keys import read_key

        if not ssh.key:
            raise Unreachable("no private key is set: name one in the settings of this machine")
        if ssh.key not in self._keys:
            self._keys[ssh.key] = read_key(Path(ssh.key))
        return self._keys[ssh.key]

    def _found(self, target: Target, ssh: Ssh) -> Reading | None:
        found = self._looked.pop((target, ssh), None)
        return found[1] if found else None

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _FRESH
        for known, (when, _) in list(self._looked.items()):
            if when < oldest:
                self._looked.pop(known, None)


def _unknown(rung: Rung, why: str) -> Reading:
    return Reading(rung.name, Heard.UNKNOWN, why)


def _all_unknown(rung: Rung, targets: Sequence[Target], why: str) -> dict[str, Reading]:
    return {target.name: _unknown(rung, why) for target in targets}
