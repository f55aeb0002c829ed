"""The way out of quarantine that the alarm names: `release`, then `adopt`, and the new key is pinned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Rung
from autoscaler.webserver import State
from autoscaler.world import World
from providerscripts.servers.memory import fake_host_key
from tests.helperscripts.desk import at_rig, call
from tests.worlds.memory import MemoryProber, Rig


class Pinning(MemoryProber):
    """Compares the pin with the key that the machine really has."""

    def _ask(self, rung: Rung, target: Target) -> Reading:
        machine = self.provider.machine_at(target.address)
        if rung.name is RungName.KNOWN and machine is not None and target.pin not in (None, machine.host_key):
            return Reading(rung.name, Heard.OTHER_KEY, f"it shows {machine.host_key}")
        return super()._ask(rung, target)


class Pinned(Rig):
    """A Provider that tells host keys, and a prober that minds them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.provider.traits = replace(self.provider.traits, knows_host_key=True)
        self.pinning = Pinning(self.provider)

    def world(self, node: int) -> World:
        return replace(super().world(node), prober=self.pinning)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Pinned(wanted=4, ssh=True)
    at_rig(made, monkeypatch, tmp_path)
    made.settle()
    assert len(made.up) == 4
    return made


def test_release_and_adopt_pin_the_new_key(rig: Rig) -> None:
    name = rig.up[0]
    machine = rig.provider.machine(name)
    assert machine is not None
    machine.host_key = fake_host_key("installed anew")
    told = rig.round()
    assert rig.names(State.QUARANTINED) == [name]
    way = f"`autoscaler release {name}`, then `autoscaler adopt {machine.id}`"
    assert [way in alarm.sentence for alarm in told.alarms] == [True]
    said = call("release", name)
    assert said.code == 0, said.err
    assert [a.what for a in rig.round().alarms] == []
    rig.want(5)
    said = call("adopt", machine.id)
    assert said.code == 0, said.err
    rig.settle()
    assert rig.share().records[name].pin == machine.host_key
    assert name in rig.admitted
    assert len(rig.up) == 5
