"""The lease of a reboot: one node at a time, only while all others are heard, and nobody blocked by a lost one."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.book import StoreClock
from autoscaler.cycle import run_cycle
from autoscaler.outcome import Report
from autoscaler.ports import Conditional
from autoscaler.reboot import KEY, LONGEST, Rebooting, RebootLease, read_rebooting
from tests.worlds.faulty_store import FaultyStore, How
from tests.worlds.memory import Rig, ToldMachine
from utilities.errors import DocumentFault, Unreachable


def lease(rig: Rig, k: int, boot: str = "boot-1", store: Any = None) -> RebootLease:
    return RebootLease(store or rig.store, StoreClock(rig.clock), rig.node(k), boot)


def there(rig: Rig) -> Rebooting:
    found = rig.store.get(KEY)
    assert found is not None
    return read_rebooting(found.body)


def owing(nodes: int = 2) -> Rig:
    """Every node has built something and owes a reboot, and may: its last boot is long ago."""
    rig = Rig(nodes=nodes, wanted=2 * nodes, reboots=True)
    rig.settle()
    for _ in range(15):
        rig.tick()
    boots = {k: rig.machines[k].boots for k in range(1, nodes + 1)}
    assert set(boots.values()) == {2}, "one each, for what they built"
    for k in range(1, nodes + 1):
        rig.machines[k].command = False  # what is owed waits
    rig.want(3 * nodes)
    for k in range(1, nodes + 1):
        rig.machines[k].command = True
        rig.machines[k].booted = rig.clock.now()
    for _ in range(8):
        rig.tick()
    assert all(rig.heart(k).owes == "boot-2" for k in range(1, nodes + 1))
    return rig


def rested(rig: Rig) -> None:
    for machine in rig.machines.values():
        machine.booted = type(machine.booted)(rig.clock.now() - 700)


# The lease itself


def test_one_has_it_and_the_other_is_told_who() -> None:
    rig = Rig(nodes=2)
    assert lease(rig, 1).take() == ""
    rig.clock.sleep(30)
    assert lease(rig, 2).take() == "node 1 reboots since 30 s"
    assert lease(rig, 1).take() == "", "it may ask again"
    lease(rig, 1).release()
    assert there(rig).node == 0
    assert lease(rig, 2).take() == ""


@pytest.mark.parametrize("exists", [True, False])
def test_of_two_at_once_one_is_faster(exists: bool) -> None:
    rig = Rig(nodes=2)
    if exists:
        rig.store.put(KEY, Rebooting(0).body())
    store = FaultyStore(rig.store)
    asked: list[str] = []

    def before(verb: str, key: str) -> None:
        if verb != "get" and not asked:
            asked.append(lease(rig, 2).take())

    store.before = before
    assert lease(rig, 1, store=store).take() == "another node was faster to reboot"
    assert asked == [""]
    assert there(rig).node == 2


@pytest.mark.parametrize(("age", "yes"), [(LONGEST, False), (LONGEST + 1, True)])
def test_a_node_that_does_not_come_back_blocks_nobody_for_ever(age: float, yes: bool) -> None:
    rig = Rig(nodes=2)
    assert lease(rig, 1).take() == ""
    rig.clock.sleep(age)
    assert (lease(rig, 2).take() == "") is yes


def test_only_its_own_is_given_back_and_after_a_boot_only_that_of_an_earlier_one() -> None:
    rig = Rig(nodes=2)
    lease(rig, 1).take()
    lease(rig, 2).release()
    lease(rig, 2, "boot-2").release(back=True)
    lease(rig, 1).release(back=True)  # not booted yet
    lease(rig, 1, "boot-2").release()  # not its own any more
    assert there(rig).node == 1
    lease(rig, 1, "boot-2").release(back=True)
    assert there(rig).node == 0


def test_a_lost_reply_is_no_leave_and_the_next_try_has_it() -> None:
    rig = Rig(nodes=2)
    store = FaultyStore(rig.store)
    store.fault(How.LOST_REPLY, "create", KEY, times=1)
    with pytest.raises(Unreachable):
        lease(rig, 1, store=store).take()
    assert lease(rig, 2).take() == "node 1 reboots since 0 s"
    assert lease(rig, 1, store=store).take() == ""


def test_a_damaged_or_newer_document_gives_no_leave() -> None:
    rig = Rig(nodes=2)
    rig.store.put(KEY, b"{")
    with pytest.raises(DocumentFault, match="cannot be read"):
        lease(rig, 1).take()
    rig.store.put(KEY, b'{"format": 99, "version": "9.0"}')
    with pytest.raises(DocumentFault, match="upgrade this node"):
        lease(rig, 1).take()
    lease(rig, 1).release()  # nor does it break off what is done


# In the hands of a Cycle


def test_two_that_owe_reboot_one_after_the_other() -> None:
    rig = owing()
    rested(rig)
    assert rig.cycle(1).rebooting
    assert not rig.cycle(2).rebooting, "node 1 is not back yet"
    assert there(rig).node == 1
    rig.clock.sleep(60)
    rig.cycle(1)
    assert there(rig).node == 0, "back: it says so at once"
    rested(rig)
    assert rig.cycle(2).rebooting
    assert (rig.machines[1].boots, rig.machines[2].boots) == (3, 3)


def test_only_while_all_others_are_heard() -> None:
    rig = owing()
    rig.clock.sleep(200)
    rested(rig)
    told: list[str] = []
    assert not cycle(rig, 1, told).rebooting
    assert "the reboot is still owed: node 2 is not heard" in told
    assert rig.store.get(KEY) is None or there(rig).node == 0
    rig.round(2)
    assert rig.cycle(1).rebooting


def cycle(rig: Rig, k: int, told: list[str]) -> Report:
    return run_cycle(rig.world(k), rig.deployment, rig.node(k), told.append)


def test_without_conditional_writes_it_stays_owed_and_is_said() -> None:
    rig = owing()
    rested(rig)
    rig.store.conditional = Conditional.NO
    told: list[str] = []
    assert not cycle(rig, 1, told).rebooting
    assert any("still owed: the Store has no conditional writes" in line for line in told)
    assert rig.heart(1).owes == "boot-2"
    rig.store.conditional = Conditional.YES
    rig.round(2)
    assert rig.cycle(1).rebooting


def test_killed_between_the_lease_and_the_reboot_it_reboots_with_the_next_cycle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = owing()
    rested(rig)

    class Killed(BaseException):
        pass

    def die(self: ToldMachine) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ToldMachine, "reboot", die)
        with pytest.raises(Killed):
            rig.cycle(1)
    assert there(rig).node == 1
    assert not rig.cycle(2).rebooting
    rig.clock.sleep(60)
    rig.round(2)
    assert rig.cycle(1).rebooting
    assert rig.machines[1].boots == 3


def test_a_reboot_that_is_refused_gives_the_lease_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = owing()
    rested(rig)

    def refuse(self: ToldMachine) -> None:
        raise Unreachable("sudo asks for a password")

    with monkeypatch.context() as patch:
        patch.setattr(ToldMachine, "reboot", refuse)
        assert rig.cycle(1).exit_code == 4
    assert there(rig).node == 0
    assert rig.cycle(2).rebooting, "node 2 need not wait"


def test_its_leases_are_fresh_as_it_goes_down() -> None:
    """A boot shorter than a lease causes no takeover."""
    rig = owing()
    rested(rig)
    rig.store.put("shares/1.json", rig.share(1).body())
    rig.clock.sleep(80)  # not yet half a lease: the Cycle by itself would leave it so
    rig.round(2)
    assert rig.cycle(1).rebooting
    found = rig.store.get("shares/1.json")
    assert found is not None
    assert found.modified == rig.clock.now()


def test_who_is_paused_does_not_reboot_and_takes_no_lease() -> None:
    rig = owing()
    rested(rig)
    rig.store.put("SWITCH_OFF_SCALING", b'{"kinds": ["reboot"]}')
    told: list[str] = []
    assert not cycle(rig, 1, told).rebooting
    assert any("the reboot is still owed" in line for line in told)
    assert rig.store.get(KEY) is None or there(rig).node == 0
