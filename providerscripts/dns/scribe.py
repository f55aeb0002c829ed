"""The Scribe reads and writes the records at our two names, and does not believe a write before it reads it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from autoscaler.ports import BalancerUnreachable, Clock, Refused
from providerscripts.dns.claims import Claim, Sight
from providerscripts.dns.records import Entry, Zone
from providerscripts.dns.settings import DnsSettings

__all__ = ["SETTLE", "Scribe"]

SETTLE = 5.0  # seconds that a vendor's listing may lag behind our write
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 1.9)  # between the readings; together SETTLE

Deed = Callable[[], None]


class Scribe:
    """Every verb raises BalancerUnreachable; Refused where the vendor certainly did not write."""

    def __init__(self, zone: Zone, settings: DnsSettings, clock: Clock) -> None:
        self._zone, self._settings, self._clock = zone, settings, clock

    def look(self) -> Sight:
        """One complete reading."""
        host, claims = self._settings.record, self._settings.claims
        return Sight(host, claims, [e for e in self._zone.read((host, claims)) if e.name in (host, claims)])

    def watched(self, sight: Sight, good: Callable[[Sight], object]) -> Sight:
        """This reading if it is good, else the first good one; after SETTLE the last one."""
        for pause in _PAUSES:
            if good(sight):
                break
            self._clock.sleep(pause)
            sight = self.look()
        return sight

    def settled(self, sight: Sight, deeds: Sequence[Deed], good: Callable[[Sight], object], what: str) -> Sight:
        """Do it all, then read until it shows; a doubt is no trouble when it does.

        What comes after a deed in doubt is not done. A certain no is raised at once.
        """
        if not deeds and good(sight):
            return sight
        doubt = None
        try:
            for deed in deeds:
                deed()
        except BalancerUnreachable as err:
            doubt = err
        sight = self.watched(self.look(), good)
        if good(sight):
            return sight
        raise doubt or BalancerUnreachable(
            f"{self._settings.name}: {what}: the vendor took it, but {SETTLE:.0f} s later it does not read back so"
        )

    def hindrances(self) -> tuple[str, ...]:
        """What the vendor says against a deed of ours, where it says so: a token that only reads shows itself at a

        deed alone, here the removal of a record that there cannot be.
        """
        try:
            self._zone.remove(Entry(self._settings.claims, "TXT", '"nobody"', id=self._zone.nobody))
        except Refused as err:
            return (str(err),) if err.kind == "auth" else ()
        return ()

    # --- deeds ---

    def address(self, sight: Sight, claim: Claim) -> Deed:
        """Add its address record."""
        return self._adding(sight, Entry(self._settings.record, claim.type, claim.address, self._settings.ttl))

    def claim(self, sight: Sight, claim: Claim) -> Deed:
        """Add this claim, or mark."""
        return self._adding(sight, Entry(self._settings.claims, "TXT", claim.text, self._settings.ttl))

    def no_address(self, sight: Sight, addresses: Iterable[str]) -> Deed:
        """Remove these addresses' records."""
        return self._removing(sight, [e for address in sorted(addresses) for e in sight.of_address(address)])

    def no_claims(self, sight: Sight, claims: Iterable[Claim]) -> Deed:
        """Remove these claims and marks."""
        return self._removing(sight, sight.entries_of(claims))

    def _adding(self, sight: Sight, entry: Entry) -> Deed:
        def add() -> None:
            try:
                self._zone.add(entry, not sight.like(entry))
            except Refused:
                if not self.look().has(entry):  # another node's, at the same moment: many vendors want no two alike
                    raise
            sight.entries.append(entry)

        return add

    def _removing(self, sight: Sight, entries: Sequence[Entry]) -> Deed:
        def remove() -> None:
            for entry in entries:
                try:
                    self._zone.remove(entry)
                except Refused:
                    if self.look().has(entry):
                        raise
                sight.entries.remove(entry)

        return remove
