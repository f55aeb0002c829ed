"""Attacks that once succeeded, each as the shortest scenario that showed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet
from autoscaler.look import Looking, look_again
from autoscaler.node import key_of as heart_of
from autoscaler.ports import Refused
from autoscaler.share import Share, key_of
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.webserver import Record, State
from autoscaler.wish import Limits
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.death import Fate, Killed
from tests.worlds.memory import START, Rig


def served(wanted: int, **more: Any) -> Rig:
    rig = Rig(wanted=wanted, **more)
    rig.settle()
    assert len(rig.up) == wanted
    return rig


def amend(rig: Rig, name: str, k: int = 1, **changes: Any) -> None:
    mine = rig.share(k)
    rig.store.put(key_of(k), mine.with_records([replace(mine.records[name], **changes)]).body())


def before(rig: Rig, port: str, verb: str, act: Callable[[], None]) -> None:
    """Once, just before this call of the world, something else happens."""
    target = getattr(rig, port)
    real = getattr(target, verb)
    done: list[int] = []

    def call(*a: Any, **k: Any) -> Any:
        if not done:
            done.append(1)
            act()
        return real(*a, **k)

    setattr(target, verb, call)


def test_no_name_is_given_twice_though_the_switch_leaves_gaps() -> None:
    rig = served(3)
    rig.provider.ail(rig.up[0], Health.DEAD)
    rig.round()
    rig.clock.sleep(60)
    rig.provider.faults.next("create", Fault.AUTH)
    rig.round()
    rig.store.put(SWITCH, Switch(frozenset({Kind.REPLACE})).body())
    rig.want(4)
    rig.provider.faults.next("create", Fault.AUTH)
    rig.cycle(once=True)
    rig.store.delete(SWITCH)
    before(rig, "provider", "create", lambda: rig.round() and None)
    rig.cycle(once=True)
    assert max(rig.provider.creates.values()) == 1
    serials = [int(n[-4:]) for n in rig.share().records]
    assert rig.share().serial > max(serials)
    rig.settle()
    assert len(rig.up) == len(rig.alive) == 4


def test_a_removal_said_again_is_not_carried_on_by_an_older_process() -> None:
    """The Round drains an old removal while Cycles take it back and say it anew without looking."""
    rig = served(4)
    rig.balancer.running = dict.fromkeys(rig.up, 1)
    rig.want(3)
    rig.cycle(once=True)
    (leaving,) = rig.names(State.DRAINING)
    rig.clock.sleep(11)  # its drain is over, the next turn would seal it

    def meanwhile() -> None:
        amend(rig, leaving, out=None)  # taken back, and said again by a Cycle that died before its look

    rig.deployment = replace(rig.deployment, shutdown="save")
    before(rig, "shell", "run", meanwhile)
    rig.round()
    assert rig.share().records[leaving].state is State.DRAINING
    assert leaving in rig.alive


def test_whom_somebody_protects_while_it_drains_stays() -> None:
    rig = served(4)
    rig.balancer.running = dict.fromkeys(rig.up, 1)
    rig.want(3)
    rig.cycle(once=True)
    (leaving,) = rig.names(State.DRAINING)
    amend(rig, leaving, protected=START + 1e9)
    rig.clock.sleep(60)  # its drain is long over
    rig.settle()
    assert leaving in rig.up
    assert leaving in rig.admitted
    assert len(rig.alive) == 3


def test_an_upturn_sends_no_visitors_back_to_a_sick_one() -> None:
    rig = served(4)
    ill = rig.up[0]
    rig.provider.ail(ill, Health.SICK)
    rig.round()
    rig.balancer.running = {ill: 1}
    rig.want(3)
    rig.cycle(once=True)
    assert rig.share().records[ill].state is State.DRAINING
    rig.want(4)
    rig.cycle(once=True)
    assert ill not in rig.admitted
    rig.settle()
    assert len(rig.up) == 4
    assert ill not in rig.up


def test_a_refusal_of_the_second_post_hides_no_machine_of_the_first() -> None:
    rig = Rig(wanted=1, limits=Limits(1, 1))
    real = rig.provider.create

    def twice(order: Any) -> Any:
        real(order)
        raise Refused("there is one of this name already")

    rig.provider.create = twice  # type: ignore[method-assign]
    rig.cycle(once=True)
    rig.provider.create = real  # type: ignore[method-assign]
    assert len(rig.alive) == 1
    rig.settle(60)
    assert rig.up == rig.alive
    assert len(rig.up) == 1
    assert rig.provider.most == 1


def test_a_node_too_many_empties_its_share_and_then_says_so() -> None:
    rig = served(6, nodes=3)
    rig.want(6, autoscalers=2)
    for _ in range(20):
        rig.tick()
    assert len(rig.up) == len(rig.alive) == 6
    assert not [n for n in rig.alive if n.startswith("ws-web-3-")]
    assert rig.cycle(3).exit_code == 3


def test_what_vanished_during_a_long_pause_leaves_the_balancer() -> None:
    rig = served(4)
    lost = rig.up[0]
    rig.store.put(SWITCH, Switch().body())
    rig.provider.vanish(lost)
    for _ in range(90):
        rig.tick()
    rig.store.delete(SWITCH)
    rig.settle()
    assert lost not in rig.admitted
    assert rig.admitted == rig.up


def test_two_shares_at_once_keep_the_limit_on_removals() -> None:
    rules = Rules(removals=3)
    mine = {f"ws-web-1-{n:04d}": Record(f"ws-web-1-{n:04d}", State.DRAINING, START, START) for n in (1, 2, 3)}
    theirs = {f"ws-web-2-{n:04d}": Record(f"ws-web-2-{n:04d}", State.DRAINING, START, START) for n in (1, 2)}
    fleet = Fleet(START, 1, (Share(1, 1, records=mine), Share(2, 2, records=theirs)), ())
    seen = look_again(Looking(fleet, "1/cycle/1", tuple(sorted(mine)), (), 0, 20, START, rules))
    assert (len(seen.sure), len(seen.returned)) == (1, 2)


def test_a_lost_heartbeat_gives_no_run_number_again() -> None:
    rig = Rig(wanted=2)
    fate = Fate(at=10**9)
    rig.wrap = fate.over
    real = rig.provider.create

    def die(order: Any) -> Any:
        real(order)
        raise Killed("after the post")

    rig.provider.create = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rig.cycle()
    rig.provider.create = real  # type: ignore[method-assign]
    rig.wrap = lambda world: world
    rig.store.delete(heart_of(1))
    rig.clock.sleep(60)
    rig.cycle()
    assert max(rig.provider.creates.values()) == 1
    rig.settle(60)
    assert max(rig.provider.creates.values()) == 1
    assert rig.up == rig.alive
    assert len(rig.up) == 2


def test_a_faulty_profile_at_the_second_look_loosens_no_max() -> None:
    rig = Rig(wanted=6, limits=Limits(1, 20))
    rig.want(6, max=4)
    other = Share(2, 2, records={"ws-web-2-0001": Record("ws-web-2-0001", State.UP, START, START, id="x")})

    def meanwhile() -> None:
        rig.store.put(key_of(2), other.body())
        rig.store.put("scalingprofile/profile.cnf", b"NO_WEBSERVERS=many\n")

    before(rig, "store", "swap", meanwhile)
    before(rig, "store", "swap", lambda: None)
    rig.cycle(once=True)
    assert len(rig.alive) <= 3


def test_a_suspects_removal_survives_a_lost_reply() -> None:
    suspect = Record("ws-web-1-0001", State.DRAINING, START, START, id="a", withdrawn=True, served=True)
    assert suspect.suspect
    assert not replace(suspect, out=START).suspect


def test_hostile_documents_are_faults() -> None:
    rig = served(1)
    for body in (b"[" * 100_000, b"{}", b'{"format": 1, "share": 1, "holder": 1, "serial": -5}', b"\xff"):
        rig.store.put(key_of(1), body)
        assert rig.cycle().exit_code == 3
        assert rig.round().exit_code == 3
        rig.store.put(heart_of(1), body)
        assert rig.cycle().exit_code == 3
        rig.store.delete(heart_of(1))


def test_a_token_of_another_project_makes_no_fleet_vanish() -> None:
    """Its listing is empty and complete, and it answers 404 to every id: all of it true, of another project."""
    rig = served(5)
    before_all = rig.up
    real_list, real_get = rig.provider.list, rig.provider.get
    rig.provider.list = lambda everything=False: ()  # type: ignore[method-assign, assignment, misc]
    rig.provider.get = lambda id: None  # type: ignore[method-assign, misc]
    for _ in range(10):
        rig.round()
        report = rig.cycle(once=True)
        rig.clock.sleep(60)
    assert "not believed" in report.sentence
    assert rig.up == rig.admitted == before_all
    assert rig.provider.made == 5
    rig.provider.list, rig.provider.get = real_list, real_get  # type: ignore[method-assign]
    rig.settle()
    assert rig.up == rig.alive == before_all


def test_another_project_with_the_same_private_addresses_makes_no_fleet_vanish() -> None:
    """Its pool has our name, its webservers have our names and addresses, and other ids."""
    rig = served(5)
    before_all = rig.up
    theirs = tuple(replace(s, id=f"theirs-{s.id}") for s in rig.provider.list())
    rig.provider.list = lambda everything=False: theirs  # type: ignore[method-assign, assignment, misc]
    rig.provider.get = lambda id: None  # type: ignore[method-assign, misc]
    for _ in range(5):
        rig.round()
        rig.cycle(once=True)
        rig.clock.sleep(60)
    assert rig.up == rig.admitted == before_all
    assert rig.provider.made == 5
    assert rig.provider.deletes.total() == 0


def test_one_whose_address_another_has_by_now_is_gone_however_well_it_answers() -> None:
    """Vendors give addresses again: what serves there is the other one."""
    rig = Rig(nodes=2, wanted=2)
    rig.settle()
    lost, kept = rig.up
    address = {r.name: r.address for r in rig.records()}[lost]
    rig.provider.vanish(lost)
    rig.want(4)  # node 2 is first to build, and gets the address
    rig.cycle(2)
    assert address in [m.address for m in rig.provider.machines()]
    rig.settle(quiet_ticks=4)
    assert lost not in rig.up
    assert kept in rig.up
    assert len(rig.up) == len(rig.alive) == 4
    assert len({r.address for r in rig.records() if r.name in rig.up}) == 4


def test_one_of_five_that_vanishes_is_replaced() -> None:
    rig = served(5)
    lost = rig.up[0]
    rig.provider.vanish(lost)
    rig.settle(quiet_ticks=4)
    assert lost not in rig.up
    assert len(rig.up) == len(rig.alive) == 5
