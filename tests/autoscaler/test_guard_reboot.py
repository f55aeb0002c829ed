"""A node reboots when it has earned it, not soon after its last boot, and not while anything is in flight."""

from __future__ import annotations

from providerscripts.servers.faults import Fault
from tests.worlds.memory import Rig


def rested(wanted: int = 2) -> Rig:
    """All is up, every debt is paid, and the last boot is long ago."""
    rig = Rig(wanted=wanted, reboots=True)
    for _ in range(2):
        rig.settle()
        rig.clock.sleep(700)
    rig.settle()
    return rig


def test_nobody_reboots_who_did_nothing() -> None:
    rig = rested()
    before = rig.machines[1].boots
    for _ in range(5):
        rig.clock.sleep(700)
        rig.tick()
    assert rig.machines[1].boots == before


def test_a_create_that_was_refused_earns_nothing() -> None:
    rig = rested()
    before = rig.machines[1].boots
    rig.want(3)
    rig.provider.faults.next("create", Fault.QUOTA, times=100)
    rig.clock.sleep(700)
    rig.cycle()
    assert rig.machines[1].boots == before


def test_a_build_that_was_done_earns_one_reboot() -> None:
    rig = rested()
    before = rig.machines[1].boots
    rig.want(3)
    rig.clock.sleep(700)
    assert rig.cycle().rebooting
    assert rig.machines[1].boots == before + 1
    for _ in range(5):
        rig.clock.sleep(700)
        rig.tick()
    assert rig.machines[1].boots == before + 1


def test_never_within_ten_minutes_of_a_boot() -> None:
    rig = rested()
    rig.clock.sleep(700)
    rig.want(3)
    assert rig.cycle().rebooting
    booted = rig.machines[1].booted
    rig.want(4)
    while rig.clock.now() - booted < 500:
        rig.tick()
        assert rig.machines[1].booted == booted
    for _ in range(5):
        rig.tick()
    assert rig.machines[1].booted - booted >= 600, "and then it pays its debt"


def test_not_while_a_build_is_in_flight() -> None:
    rig = rested()
    rig.clock.sleep(700)
    before = rig.machines[1].boots
    rig.want(3)
    assert not rig.cycle(once=True).rebooting
    assert rig.machines[1].boots == before
    assert rig.cycle().rebooting
