"""An Offer: a size in a region, as `server` of the Deployment orders them. Which is asked for next, and which is
shunned because the Provider had none left. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.section import Section
from autoscaler.server import Order
from utilities.errors import DocumentFault
from utilities.instant import Instant, to_seconds

__all__ = [
    "ITS_OWN", "SCARCE", "Offer", "Shun", "ask_for", "none_left", "offers_of", "order_for", "passed_over",
    "read_server", "shunned_after",
]  # fmt: skip

SCARCE = ("sold out", "quota")  # kinds of Refused that another size or region may not meet
ITS_OWN = ("image", "size", "region", "user_data", "user_data_file", "fallbacks")  # all else is the adapter's

_FILE = r"/\S.*|[A-Za-z0-9][A-Za-z0-9._/-]*"


@dataclass(frozen=True)
class Offer:
    """In the vendor's words; empty where the Deployment names none."""

    size: str = ""
    region: str = ""

    @property
    def key(self) -> str:
        """By which documents name it: cx22@fsn1."""
        return f"{self.size}@{self.region}"

    def __str__(self) -> str:
        """For people."""
        if not self.size and not self.region:
            return "the one there is"
        return f"{self.size or 'the usual size'} in {self.region}" if self.region else self.size


@dataclass(frozen=True)
class Shun:
    """Not asked for before `until`. `times` in a row it was refused: each makes the next wait twice as long."""

    until: Instant
    times: int = 1
    why: str = SCARCE[0]  # one of SCARCE


def read_server(section: Section) -> dict[str, object]:
    """`server` of the Deployment: the keys that are the same for every provider read strictly, the others as they
    are. `fallbacks` becomes a list of size and region, whole."""
    out: dict[str, object] = {}
    for key in ("image", "size", "region", "user_data"):
        if section.has(key):
            out[key] = section.text(key, "")
    if section.has("user_data_file"):
        file = section.text("user_data_file", "", _FILE, "the name of an object in the Store, or /PATH")
        if ".." in file.split("/"):
            section.fault("user_data_file", f"user_data_file {file!r} leaves the Store: it will not do")
        if section.has("user_data"):
            section.fault("user_data_file", "both user_data and user_data_file: take one of them out")
        out["user_data_file"] = file
    if section.has("fallbacks"):
        first = Offer(str(out.get("size", "")), str(out.get("region", "")))
        out["fallbacks"] = _fallbacks(section, first)
    return out | section.rest()


def _fallbacks(section: Section, first: Offer) -> list[dict[str, str]]:
    known = {first}
    out = []
    for one in section.sections("fallbacks"):
        offer = Offer(one.text("size", first.size), one.text("region", first.region))
        faults = section.faults
        one.unknown()
        if offer in known and section.faults == faults:
            section.fault("fallbacks", f"fallbacks: {one.title} is {offer}, which stands before it already")
        known.add(offer)
        out.append({"size": offer.size, "region": offer.region})
    return out


def offers_of(server: Mapping[str, object]) -> tuple[Offer, ...]:
    """What `server` orders: its own size and region first, then its fallbacks."""
    first = Offer(str(server.get("size") or ""), str(server.get("region") or ""))
    more: Any = server.get("fallbacks") or ()
    return (first, *(Offer(f.get("size", first.size), f.get("region", first.region)) for f in more))


def order_for(server: Mapping[str, object], pool: str, name: str, offer: Offer) -> Order:
    """The order of one Server. DocumentFault while the user data still lies in a file nobody read."""
    if "user_data_file" in server:
        raise DocumentFault("deployment.yaml", [f"{server['user_data_file']} was not read: nothing is ordered"])

    def word(key: str) -> str:
        return str(server.get(key) or "")

    options = {key: value for key, value in server.items() if key not in ITS_OWN}
    return Order(name, pool, name, word("image"), offer.size, offer.region, word("user_data"), options)


def ask_for(offers: Sequence[Offer], shunned: Mapping[str, Shun], at: Instant) -> Offer | None:
    """The first whose wait is over; None while all are shunned."""
    return next((o for o in offers if o.key not in shunned or shunned[o.key].until <= at), None)


def passed_over(offers: Sequence[Offer], shunned: Mapping[str, Shun], at: Instant) -> str:
    """Which offer stands in for one that is shunned, and why; "" when the first one is asked for, or none."""
    taken = ask_for(offers, shunned, at)
    if taken is None or taken == offers[0]:
        return ""
    shun = shunned[offers[0].key]
    return f"{taken} is ordered: {offers[0]} is {_words([shun])} until {to_seconds(shun.until)}"


def none_left(offers: Sequence[Offer], shunned: Mapping[str, Shun], at: Instant) -> str:
    """Why nothing can be ordered, and until when; "" when something can."""
    if ask_for(offers, shunned, at) is not None:
        return ""
    shuns = [shunned[o.key] for o in offers]
    where = "everywhere" if len(offers) > 1 else f"({offers[0]})"
    return f"{_words(shuns)} {where} until {to_seconds(min(s.until for s in shuns))}"


def _words(shuns: Sequence[Shun]) -> str:
    found = {s.why for s in shuns}
    return " or ".join(word for why, word in (("sold out", "sold out"), ("quota", "over quota")) if why in found)


def shunned_after(
    shunned: Mapping[str, Shun],
    offers: Sequence[Offer],
    offer: Offer,
    made: bool,
    refused: str,
    at: Instant,
    wait: float,
    longest: float,
) -> dict[str, Shun]:
    """After a batch that ordered `offer`. Where any Server of it was `made` it is shunned no more; where any was
    `refused`, for that kind, it is: first for `wait` seconds, each time in a row twice as long, up to `longest`.

    One that is shunned until later is not shunned again: its refusals were asked for at the same time. What the
    Deployment no longer names is forgotten.
    """
    out = {o.key: shunned[o.key] for o in offers if o.key in shunned and not (made and o == offer)}
    before = out.get(offer.key)
    if refused and offer in offers and (before is None or before.until <= at):
        times = before.times + 1 if before is not None else 1
        seconds = min(longest, wait * 2.0 ** min(times - 1, 30))
        out[offer.key] = Shun(Instant(at + seconds), times, refused)
    return out
