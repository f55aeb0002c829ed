"""A Cycle replays what the schedule missed before it decides: once, whoever dies, races or lies in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from autoscaler.cycle import plan_only
from autoscaler.deployment import Mode
from autoscaler.entry import Aim, Entry
from autoscaler.outcome import Report
from autoscaler.profile import KEY, Profile, read_profile, set_number
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.wish import Limits
from tests.worlds.death import Fate, Killed
from tests.worlds.faulty_store import FaultyStore, How
from tests.worlds.memory import START, Rig, ToldClock
from utilities.instant import Instant, to_text
from utilities.plain import to_plain

DAILY = frozenset(range(7))
DUE = Instant(START + 1800)  # 2027-01-15 08:30 UTC
BACK = Instant(START + 4200)  # all nodes are back at 09:10
ID = "morning/2027-01-15T08:30Z"
MORNING = Entry("morning", time(9, 30), DAILY, Aim.UP_TO, 4, "Europe/Berlin")
MORE = Entry("more", time(9, 30), DAILY, Aim.BY, 2, "Europe/Berlin")


def missed(*entries: Entry, wanted: int = 2, **more) -> Rig:
    """A fleet at rest; then every node is off from before the entries fall due until after."""
    rig = Rig(wanted=wanted, limits=Limits(1, 20), **more)
    rig.deployment = replace(rig.deployment, schedule=entries or (MORNING,))
    if rig.profile and rig.mode is Mode.PRODUCTION:
        rig.settle()
    assert rig.clock.now() < DUE
    rig.clock.time = BACK
    return rig


def profile(rig: Rig) -> Profile:
    return read_profile(rig.store.get(KEY).body.decode(), KEY)


def wishes(rig: Rig) -> list[dict]:
    return [dict(e) for e in rig.world(1).journal.read() if e["kind"] == "wish"]


def test_the_first_cycle_applies_it_says_so_and_works_on_the_new_number() -> None:
    rig = missed()
    report = rig.cycle()
    assert report.exit_code == 0
    assert rig.wish() == 4
    assert len(rig.up) == 4, "in the same Cycle"
    assert "4 in the Profile, by autoscaler at 2027-01-15T09:10:00Z: entry morning" in report.sentence
    [told] = wishes(rig)
    said = "entry morning of Fri 2027-01-15 09:30 Europe/Berlin, 40 min late: 4 webservers wanted instead of 2"
    assert told["sentence"].startswith(said)
    assert (told["before"], told["after"], told["by"], told["node"]) == (2, 4, "cycle", 1)
    assert [e.id for e in profile(rig).applied] == [ID]
    before = rig.store.get(KEY).version
    rig.settle()
    assert rig.store.get(KEY).version == before, "an idle Cycle writes no Profile"
    assert len(wishes(rig)) == 1


def test_two_nodes_at_once_count_it_once() -> None:
    """While the first holds what it has read, the second does its whole Cycle."""
    rig = missed(MORE, nodes=2, wanted=2)
    store = FaultyStore(rig.store, rig.clock)
    others: list[Report] = []

    def before(verb: str, key: str) -> None:
        if (verb, key) == ("swap", KEY) and not others:
            rig.wrap = lambda world: world
            others.append(rig.cycle(2, once=True))

    store.before = before
    rig.wrap = lambda world: replace(world, store=store)
    rig.cycle(1, once=True)
    assert [report.exit_code for report in others] == [0]
    assert rig.wish() == 4
    assert len(profile(rig).applied) == 1
    rig.wrap = lambda world: world
    rig.settle()
    assert (rig.wish(), len(rig.up)) == (4, 4)


def test_an_operator_who_comes_in_between_is_not_overruled() -> None:
    """While a Cycle holds what it has read, alice sets 3: she did so after 09:30, so it holds."""
    rig = missed()
    store = FaultyStore(rig.store, rig.clock)

    def before(verb: str, key: str) -> None:
        if (verb, key) == ("swap", KEY):
            store.before = lambda verb, key: None
            rig.write(set_number(profile(rig), 3, "alice", rig.clock.now(), ""))

    store.before = before
    rig.wrap = lambda world: replace(world, store=store)
    rig.cycle()
    assert rig.wish() == 3
    assert profile(rig).applied == ()
    assert wishes(rig) == []
    assert len(rig.up) == 3


@pytest.mark.parametrize("entry", [MORNING, MORE])
def test_plan_says_it_writes_nothing_and_has_the_steps_of_the_next_cycle(entry: Entry) -> None:
    rig = missed(entry)
    before = rig.store.get(KEY).version, rig.store.keys("")
    ((inputs, plan),) = plan_only(rig.world(1), rig.deployment, rig.node(1))
    assert (rig.store.get(KEY).version, rig.store.keys("")) == before
    assert inputs.wanted == 4
    assert f"entry {entry.name} of Fri 2027-01-15 09:30 Europe/Berlin, 40 min late: 4" in plan.because
    assert len(plan.steps) == 2
    rig.cycle(once=True)
    [done] = [e for e in rig.world(1).journal.read() if e["kind"] == "cycle"][-1:]
    assert done["turns"][0]["plan"]["steps"] == [to_plain(step) for step in plan.steps]


def test_killed_before_and_after_every_call_it_counts_once() -> None:
    """`more` adds two. Whatever call is its last, the next Cycle and the one after end with two more, not four."""
    calls = 0
    for after in (False, True):
        at = 0
        while True:
            rig = missed(MORE)
            fate = Fate(at, after)
            rig.wrap = fate.over
            try:
                rig.cycle()
                killed = False
            except Killed:
                killed = True
            rig.wrap = lambda world: world
            rig.clock.sleep(60)
            rig.cycle()
            rig.settle()
            assert (rig.wish(), len(profile(rig).applied)) == (4, 1), fate.calls[-1]
            assert len(rig.up) == 4, fate.calls[-1]
            assert len(wishes(rig)) <= 1
            if not killed:
                break
            at += 1
            calls += 1
    assert calls > 60, "a Cycle that replays and builds makes more calls than that"


@pytest.mark.parametrize("how", [How.LOST_REPLY, How.UNREACHABLE])
def test_a_put_whose_reply_is_lost_counts_once(how: How) -> None:
    rig = missed(MORE)
    store = FaultyStore(rig.store, rig.clock)
    store.fault(how, "swap", KEY, times=1)
    rig.wrap = lambda world: replace(world, store=store)
    assert rig.cycle().exit_code == 0
    assert rig.wish() == 4
    assert len(wishes(rig)) == 1


def test_a_store_that_loses_every_put_of_it_ends_the_cycle_and_loses_no_event() -> None:
    rig = missed(MORE)
    store = FaultyStore(rig.store, rig.clock)
    fault = store.fault(How.UNREACHABLE, "swap", KEY)
    rig.wrap = lambda world: replace(world, store=store)
    report = rig.cycle()
    assert report.exit_code == 4
    assert "broken off" in report.sentence
    assert (rig.wish(), len(rig.up)) == (2, 2)
    store.faults.remove(fault)
    assert rig.cycle().exit_code == 0
    assert (rig.wish(), len(rig.up)) == (4, 4)


def test_observe_writes_the_wish_and_does_nothing() -> None:
    """As the daily verbs do: the number is the operator's wish in every mode, only deeds are withheld."""
    rig = missed(mode=Mode.OBSERVE)
    report = rig.cycle()
    assert report.exit_code == 0
    assert (rig.wish(), rig.alive, rig.provider.calls.get("create", 0)) == (4, [], 0)
    assert "observe: would create" in report.sentence
    assert len(wishes(rig)) == 1
    rig.cycle()
    assert len(wishes(rig)) == 1


def test_development_looks_at_nothing() -> None:
    rig = missed(mode=Mode.DEVELOPMENT)
    assert rig.cycle().exit_code == 0
    assert rig.wish() == 2


def test_a_paused_fleet_keeps_up_with_the_wish_and_does_nothing() -> None:
    rig = missed()
    rig.store.put(SWITCH, Switch(frozenset(Kind), who="alice").body())
    assert rig.cycle().exit_code == 0
    assert (rig.wish(), len(rig.up)) == (4, 2)
    rig.store.delete(SWITCH)
    rig.clock.sleep(60)
    rig.cycle()
    assert len(rig.up) == 4


class Skewed(ToldClock):
    """Shows another time than the Store's."""

    def __init__(self, inner: ToldClock, off: float) -> None:
        self.inner, self.off = inner, off

    def now(self) -> Instant:
        return Instant(self.inner.now() + self.off)

    def monotonic(self) -> float:
        return self.inner.monotonic()

    def sleep(self, seconds: float) -> None:
        self.inner.sleep(seconds)


@pytest.mark.parametrize("off", [-3600.0, -25.0, 25.0, 3600.0])
def test_a_node_with_a_wrong_clock_refuses_before_it_replays(off: float) -> None:
    rig = missed()
    rig.wrap = lambda world: replace(world, clock=Skewed(rig.clock, off))
    report = rig.cycle()
    assert report.exit_code == 4
    assert "this machine's clock is" in report.sentence
    assert (rig.wish(), wishes(rig)) == (2, [])


@pytest.mark.parametrize("off", [-15.0, 15.0])
def test_it_is_the_stores_time_that_says_what_is_due(off: float) -> None:
    """A clock that is off by less than is refused replays nothing before its instant, and nothing too late."""
    rig = missed()
    rig.wrap = lambda world: replace(world, clock=Skewed(rig.clock, off))
    rig.clock.time = Instant(DUE - 1)
    rig.cycle(once=True)
    assert rig.wish() == 2
    rig.clock.time = DUE
    rig.cycle(once=True)
    assert rig.wish() == 4
    assert profile(rig).changed_at == DUE, to_text(profile(rig).changed_at)


def test_without_a_profile_there_is_nothing_to_replay() -> None:
    rig = missed(profile=False)
    assert rig.cycle().exit_code == 3
    assert rig.store.get(KEY) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"SCALING_MODE=static\nNO_WEBSERVERS=two\n", "NO_WEBSERVERS"),
        (b"\xff\xfe", "not UTF-8"),
        (b"SCALING_MODE=dynamic\nNO_WEBSERVERS=2\n", "SCALING_MODE=dynamic is not served yet"),
    ],
)
def test_a_profile_that_cannot_be_served_is_left_as_it_is(text: bytes, said: str) -> None:
    """Entries too are nothing but a number in static mode: who switched to dynamic gets no number behind his back."""
    rig = missed()
    rig.clock.time = Instant(DUE - 60)
    rig.store.put(KEY, text)
    rig.clock.time = BACK
    report = rig.cycle()
    assert report.exit_code == 3
    assert said in report.sentence
    assert rig.store.get(KEY).body == text
    assert len(rig.up) == 2


def test_a_store_without_conditional_writes_counts_an_event_once_but_may_lose_a_change_in_between() -> None:
    """The second look of change_profile is a swap. Where the Store ignores its condition, two nodes write the same
    number from the same Profile: once. What an operator wrote between that read and that put is overwritten."""
    rig = missed(MORE, nodes=2)
    store = FaultyStore(rig.store, rig.clock)
    store.fault(How.UNCONDITIONAL, "swap", KEY)
    other: list[int] = []

    def before(verb: str, key: str) -> None:
        if (verb, key) == ("swap", KEY) and not other:
            other.append(1)
            rig.cycle(2, once=True)

    store.before = before
    rig.wrap = lambda world: replace(world, store=store)
    rig.cycle(1, once=True)
    assert other
    assert rig.wish() == 4
    assert len({e.id for e in profile(rig).applied}) == 1


def test_a_node_without_a_share_replays_nothing() -> None:
    rig = missed()
    report = rig.cycle(2)
    assert report.exit_code == 3
    assert rig.wish() == 2


def test_an_overrides_end_is_written_by_the_cycle() -> None:
    rig = missed()
    rig.deployment = replace(rig.deployment, schedule=())
    rig.write(set_number(profile(rig), 5, "alice", Instant(BACK - 600), "press", until=Instant(BACK - 60)))
    rig.cycle()
    assert (rig.wish(), profile(rig).override_until, len(rig.up)) == (2, None, 2)
    [told] = wishes(rig)
    assert told["sentence"] == "alice's override of 5 ended at 2027-01-15T09:09:00Z: 2 again"


def test_a_round_replays_nothing() -> None:
    """It heals to the number last agreed on; who changes the size is the Cycle."""
    rig = missed()
    rig.round()
    assert rig.wish() == 2
