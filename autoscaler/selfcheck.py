"""The self-check of a node whose brake is on: Store, Provider and control address asked, and what it points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoscaler.bulletin import Bulletin
from autoscaler.deployment import Deployment
from autoscaler.diagnosis import diagnosis, signs_of
from autoscaler.ports import Target
from autoscaler.reading import RungName
from autoscaler.world import World

__all__ = ["checked"]


def checked(world: World, deployment: Deployment, bulletins: Sequence[Bulletin], blind: str) -> list[Bulletin]:
    """The Bulletins, each brake with its cause. `blind` is why the Provider could not be asked, "" when it could;
    the Store has answered, or there would be no Round."""
    out = list(bulletins)
    braked = [n for n, bulletin in enumerate(out) if bulletin.found.brake is not None]
    if not braked:
        return out
    failing = [readings for number in braked for readings in out[number].failing()]
    cause = diagnosis(signs_of(failing, blind, _control(world, deployment)))
    for number in braked:
        found = out[number].found
        if found.brake is not None:
            found = replace(found, brake=replace(found.brake, cause=cause))
        out[number] = replace(out[number], found=found)
    return out


def _control(world: World, deployment: Deployment) -> Mapping[str, bool]:
    """Do the addresses that always answer do so now?"""
    targets = []
    for where in deployment.control:
        host, _, port = where.rpartition(":")
        targets.append(Target(where, host.strip("[]"), int(port), int(port)))
    if not targets:
        return {}
    rung = deployment.ladder.rung(RungName.REACHABLE)
    heard = world.prober.ask(rung, targets, rung.patience + 1.0)
    return {t.name: t.name in heard and heard[t.name].good for t in targets}
