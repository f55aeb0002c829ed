"""Many nodes; late, repeated and missing cron starts; cycles that replay, operators in between, races in the Store.
Each event counts once, in its order.

The model below is written from the documentation and shares no code with the timetable: its events come from a walk
through real minutes, over the night in which Berlin's summer time began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from functools import cache
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from autoscaler.book import StoreClock
from autoscaler.change import Look, change_profile, look
from autoscaler.entry import Aim, Entry
from autoscaler.profile import KEY, Profile, new_profile, read_profile, set_number, step
from autoscaler.replaying import replay
from autoscaler.wish import Limits, wanted
from cron.firing import Seen, adjust_after, adjust_instead, fire_entry
from cron.timetable import Timetable
from providerscripts.store.memory import MemoryStore
from tests.worlds.faulty_store import FaultyStore, How
from tests.worlds.memory import Rig, ToldClock
from tests.worlds.wall import EPOCH, civil, wall_of
from utilities.errors import HeldElsewhere
from utilities.instant import Instant

FIRST_DAY = date(2026, 3, 28)
BEGIN = civil(FIRST_DAY, 20)  # Saturday evening, UTC
END = BEGIN + 11 * 3600  # Sunday morning: nothing is older than 12 hours, so nothing lapses
ZONES = ("Europe/Berlin", "UTC", "America/New_York", "Australia/Lord_Howe")
TIMES = ("00:00", "01:30", "02:00", "02:30", "02:30", "03:00", "05:00", "22:00", "23:59")
LIMITS = Limits(2, 14)
START = 6


class Still(ToldClock):
    """Nobody's sleep moves it: only the script does."""

    def sleep(self, seconds: float) -> None:
        pass


@cache
def instants(zone: str, clock: str) -> tuple[tuple[int, int], ...]:
    """(instant, local time meant) of each event of a daily entry from BEGIN, exclusive, to a minute after END."""
    at = time.fromisoformat(clock)
    meant = [civil(FIRST_DAY + timedelta(n), at.hour, at.minute) for n in range(-1, 4)]
    found = wall_of(zone).events(meant, BEGIN, END + 60)
    return tuple((minute, local) for local, minutes in found.items() for minute in minutes)


def events_of(entries: Sequence[Entry]) -> list[tuple[int, int, int]]:
    """(instant, local time, place) in the order in which they are applied."""
    out = []
    for place, entry in enumerate(entries):
        for minute, local in instants(entry.zone, f"{entry.at:%H:%M}"):
            if (EPOCH + timedelta(local // 86400)).weekday() in entry.days:
                out.append((minute, local, place))
    return sorted(out)


@dataclass
class Model:
    """The documented rules, one action after the other."""

    entries: Sequence[Entry]
    number: int = START
    stamp: float = float(BEGIN)
    modified: float = float(BEGIN)
    until: float | None = None
    back: int = 0
    applied: set[tuple[int, int]] = field(default_factory=set)

    def state(self) -> tuple[object, ...]:
        return self.number, self.stamp, self.until, self.back, frozenset(self.applied)

    def do(self, action: Action) -> None:
        """What this one makes of it, as a whole."""
        before, now = self.state(), action.now
        if action.kind == "cycle":
            self.catch_up(now)
            self.end(now)
        elif action.kind == "fire":
            due = [e for e in events_of(self.entries) if e[2] == action.place and now - 120 < e[0] <= now + 60]
            if due:
                then = max(now, due[0][0])
                self.catch_up(then)
                self.apply(due[0], then)
            else:
                self.catch_up(now)
                self.end(now)
        elif action.kind == "set":
            self.end(now)
            self.number, self.until, self.back, self.stamp = action.number, None, 0, now
        elif action.kind == "override":
            self.catch_up(now)
            self.end(now)
            lasting = self.lasting
            self.number, self.until, self.back, self.stamp = action.number, now + action.length, lasting, now
        else:
            self.catch_up(now)
            self.end(now)
            self.number, self.stamp = self.clamp(self.number + action.number), now
        if self.state() != before:
            self.modified = now

    @property
    def lasting(self) -> int:
        return self.number if self.until is None else self.back

    @staticmethod
    def clamp(number: int) -> int:
        return min(LIMITS.max, max(LIMITS.min, number))

    def end(self, now: float) -> None:
        if self.until is not None and now >= self.until:
            self.number, self.stamp, self.until, self.back = self.back, self.until, None, 0

    def catch_up(self, now: float) -> None:
        since = self.stamp if self.stamp <= self.modified else self.modified
        for one in [e for e in events_of(self.entries) if since < e[0] <= now]:
            self.apply(one, now)

    def apply(self, one: tuple[int, int, int], now: float) -> None:
        if (one[0], one[2]) in self.applied:
            return
        self.applied.add((one[0], one[2]))
        self.end(now)
        entry, held = self.entries[one[2]], self.lasting
        target = self.clamp(held + entry.number if entry.aim is Aim.BY else entry.number)
        if target == held or (target < held) is entry.up:
            return
        if self.until is None:
            self.number, self.stamp = target, now
        else:
            self.back = target


@dataclass(frozen=True)
class Action:
    """One call of one program at `now`. `inner` are done by others while it holds what it has read."""

    kind: str  # cycle, fire, set, step, override
    now: float
    place: int = 0  # of the entry that is fired
    number: int = 0
    length: float = 0.0
    inner: tuple[Action, ...] = ()
    lost: bool = False  # the reply to its put does not come back


class Site:
    """The real programs' parts over one Store. `happened` is the order in which they were done."""

    def __init__(
        self, entries: Sequence[Entry], clock: ToldClock, limits: Limits = LIMITS, start: int = START
    ) -> None:
        self.clock, self.limits = clock, limits
        clock.time = Instant(float(BEGIN))
        self.memory = MemoryStore(clock)
        self.entries, self.timetable = tuple(entries), Timetable(entries)
        self.memory.put(KEY, set_number(new_profile(start), start, "alice", clock.now(), "").text().encode())
        self.happened: list[Action] = []
        self.operators = 0

    @property
    def profile(self) -> Profile:
        return read_profile(self.memory.get(KEY).body.decode(), KEY)

    def do(self, action: Action) -> None:
        store = FaultyStore(self.memory, self.clock)
        waiting = list(action.inner)

        def before(verb: str, key: str) -> None:
            if verb == "swap":
                while waiting:
                    self.do(waiting.pop(0))

        store.before = before
        if action.lost:
            store.fault(How.LOST_REPLY, "swap", KEY, times=1)
        self._do(action, store)
        self.happened.append(action)
        for one in waiting:  # it had nothing to write, so nobody came in between
            self.do(one)
        now = wanted(self.profile, self.limits, self.clock.now()).webservers
        assert self.limits.min <= now <= self.limits.max
        assert self.limits.min <= self.profile.lasting <= self.limits.max

    def _do(self, action: Action, store: FaultyStore) -> None:
        seen = look(store)
        time = StoreClock(self.clock)
        time.hear(seen.date)
        if action.kind == "cycle":
            rig = Rig()
            rig.store, rig.clock = store, self.clock  # type: ignore[assignment]
            rig.deployment = replace(rig.deployment, schedule=self.entries)
            replay(rig.world(1), time, seen, self.limits)
            return
        self.operators += 1
        name, up = self.entries[action.place].name, self.entries[action.place].up
        mine = f"op-{self.operators}"

        def set_to(profile: Profile | None) -> Profile:
            until = Instant(time.now() + action.length) if action.kind == "override" else None
            return set_number(profile, action.number, mine, time.now(), "", until=until)

        def stepped(profile: Profile | None) -> Profile | None:
            least, most = self.limits.min, self.limits.max
            return step(profile, action.number, mine, mine, time.now(), "", least=least, most=most)

        def edit(looked: Look) -> Profile | None:
            found = Seen(looked, time.now(), self.limits)
            if action.kind == "fire":
                return fire_entry(self.timetable, name, up, found).profile
            if action.kind == "set":
                return adjust_instead(self.timetable, found, set_to).profile
            return adjust_after(self.timetable, found, stepped if action.kind == "step" else set_to).profile

        def change(seen: Look | None) -> None:
            change_profile(store, edit, relative=action.kind in ("fire", "step"), clock=self.clock, where=action.kind,
                           chance=Random(1), seen=seen)  # fmt: skip

        try:
            change(seen)
        except HeldElsewhere:  # an absolute number lost to another writer's: the operator asks again
            change(None)


def entries_drawn(draw: Callable, aims: Sequence[Aim]) -> list[Entry]:
    out = []
    for n in range(draw(st.integers(1, 5))):
        aim = draw(st.sampled_from(aims))
        number = draw(st.sampled_from([-3, -2, -1, 1, 2, 3])) if aim is Aim.BY else draw(st.integers(2, 14))
        days = draw(st.sampled_from([frozenset(range(7)), frozenset({5}), frozenset({6}), frozenset({6, 0})]))
        clock, zone = draw(st.sampled_from(TIMES)), draw(st.sampled_from(ZONES))
        out.append(Entry(f"entry-{n}", time.fromisoformat(clock), days, aim, number, zone))
    return out


OFFSETS = (-59.0, -20.0, -0.5, 0.0, 0.5, 2.0, 20.0, 61.0, 119.0, 121.0, 900.0)


def script_drawn(draw: Callable, entries: Sequence[Entry], kinds: Sequence[str], faults: bool) -> list[Action]:
    """Each node's cron starts: early, late, twice, or none; and what cycles and operators do in between."""
    nodes = draw(st.integers(1, 5))
    actions: list[Action] = []
    fires = [(minute, place) for minute, _, place in events_of(entries) if minute <= END - 1000]
    for minute, place in fires:
        for _ in range(nodes):
            for off in draw(st.lists(st.sampled_from(OFFSETS), max_size=2)):
                actions.append(Action("fire", minute + off, place))
    moments = st.integers(BEGIN + 1, END - 1).map(float)
    if fires:
        moments |= st.tuples(st.sampled_from(fires), st.sampled_from(OFFSETS)).map(lambda one: one[0][0] + one[1])
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(kinds))
        number = draw(st.integers(2, 14)) if kind in ("set", "override") else draw(st.sampled_from([-2, -1, 1, 2]))
        length = draw(st.sampled_from([60.0, 1800.0, 5 * 3600.0]))
        actions.append(Action(kind, draw(moments), 0, number, length))
    actions.sort(key=lambda one: one.now)
    out: list[Action] = []
    while actions:
        one = actions.pop(0)
        inner = []
        while faults and actions and draw(st.booleans()) and len(inner) < 2:
            # Another comes in between: at this very moment, which is why the first one's write is refused.
            inner.append(replace(actions.pop(0), now=one.now))
        lost = faults and draw(st.integers(0, 9)) == 0
        out.append(replace(one, inner=tuple(inner), lost=lost))
    return [*out, Action("cycle", float(END))]


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_the_profile_is_what_one_after_the_other_makes_of_it(data: st.DataObject) -> None:
    entries = entries_drawn(data.draw, list(Aim))
    site, model = Site(entries, Still()), Model(entries)
    kinds = ("cycle", "cycle", "set", "step", "override")
    for action in script_drawn(data.draw, entries, kinds, faults=True):
        site.clock.time = Instant(action.now)
        fresh = len(site.happened)
        site.do(action)
        for one in site.happened[fresh:]:
            model.do(one)
        profile = site.profile
        found = profile.webservers, profile.lasting, profile.override_until
        assert found == (model.number, model.lasting, model.until), (entries, site.happened)
    assert len(site.profile.applied) == len({e.id for e in site.profile.applied})
    event(f"{min(9, len(model.applied))} events")


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_each_relative_one_counts_once_whatever_races_and_is_late(data: st.DataObject) -> None:
    """No limit binds and nobody sets a number outright, so the sum comes out. The clock runs while they wait."""
    entries = entries_drawn(data.draw, [Aim.BY])
    site = Site(entries, ToldClock(), Limits(1, 99), 50)
    for action in script_drawn(data.draw, entries, ("cycle", "cycle", "step"), faults=True):
        site.clock.time = Instant(max(site.clock.time, action.now))
        site.do(action)
    due = [entries[place].number for minute, _, place in events_of(entries) if minute <= END]
    steps = [one.number for one in site.happened if one.kind == "step"]
    assert site.profile.webservers == 50 + sum(due) + sum(steps), (entries, site.happened)
    event(f"{len(due)} events, {len(steps)} steps")


MISSED = Entry("missed", time(2, 30), frozenset(range(7)), Aim.BY, 1, "Europe/Berlin")


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(("kind", "number", "expected"), [("step", 2, 9), ("override", 12, 12), ("set", 12, 12)])
def test_an_operators_change_is_not_lost_to_a_node_that_replays_the_same_event(
    kind: str, number: int, expected: int, lost: bool
) -> None:
    """Theirs brings the missed event along; that another brought it first does not mean that theirs is done."""
    site = Site([MISSED], Still())
    now = float(civil(date(2026, 3, 29), 1, 30))
    site.clock.time = Instant(now)
    site.do(Action(kind, now, 0, number, 3600.0, (Action("cycle", now),), lost))
    assert [one.kind for one in site.happened] == ["cycle", kind]
    assert site.profile.webservers == expected
    assert site.profile.lasting == {"step": 9, "override": 7, "set": 12}[kind]
    assert site.profile.was_applied("missed/2026-03-29T01:00Z")


def test_the_model_has_something_to_do() -> None:
    """The night has a gap that moves events, and each clock has its event within it."""
    berlin = wall_of("Europe/Berlin")
    moved = [minute for minute, local in instants("Europe/Berlin", "02:30") if berlin.shows(minute) != local]
    assert moved == [civil(date(2026, 3, 29), 1)]
    assert sum(len(instants(zone, clock)) for zone in ZONES for clock in set(TIMES)) > 12
