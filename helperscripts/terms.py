"""Terms: what binds a wish, from the Deployment where there is one, else the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.deployment import KEY, Deployment, Mode
from autoscaler.entry import Entry
from autoscaler.wish import Limits
from utilities.errors import AskerErred, DocumentFault

if TYPE_CHECKING:
    from helperscripts.ask import Ask

__all__ = ["Terms", "refuse_beyond", "terms_of"]


@dataclass(frozen=True)
class Terms:
    """`mode` is None when there is no Deployment; `notes` are sentences for the asker; `skew` is how many seconds
    this machine's clock may differ from the Store's; `schedule` is empty without a Deployment."""

    limits: Limits
    nodes: int
    mode: Mode | None
    notes: tuple[str, ...] = ()
    skew: float = Deployment.skew
    schedule: tuple[Entry, ...] = ()


def terms_of(ask: Ask) -> Terms:
    """From the Store. DocumentFault when the Deployment is faulty; without one, the defaults and a note of it."""
    try:
        deployment = ask.deployment
    except DocumentFault:
        if ask.store.get(KEY) is not None:
            raise
        bare = Limits(min_from="the default", max_from="the default")
        note = f"no {KEY} in the Store: at least {bare.min}, at most {bare.max}; 1 node unless the Profile says more"
        return Terms(bare, 1, None, (note,))
    notes = {
        Mode.OBSERVE: (
            "mode is observe: the nodes say what they would do, and touch no machine until `autoscaler arm`",
        ),
        Mode.DEVELOPMENT: ("mode is development: there is no autoscaling, so nothing will be done",),
    }
    return Terms(deployment.limits, deployment.nodes, deployment.mode, notes.get(deployment.mode, ()),
                 deployment.skew, deployment.schedule)


def refuse_beyond(limits: Limits, number: int, asked: str) -> None:
    """AskerErred when the number is beyond a limit, naming it and where it stands. `asked`: what the number is."""
    if number > limits.max:
        key, side, bound, source = "MAX_WEBSERVERS", "above", limits.max, limits.max_from
    elif number < limits.min:
        key, side, bound, source = "MIN_WEBSERVERS", "below", limits.min, limits.min_from
    else:
        return
    place = {
        "Deployment": f"in the Deployment ({KEY}, limits)",
        "Profile": "in the Profile (scalingprofile/profile.cnf)",
    }.get(source, f"by default, for there is no {KEY}")
    raise AskerErred(f"{asked} is {side} {key} {bound}, which stands {place}: nothing was changed")
