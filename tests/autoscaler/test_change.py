"""The Profile changes by compare-and-swap: no number is lost, no event counts twice, no doubt is swallowed."""

from __future__ import annotations

import threading
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.change import DEAF, TRIES, WAIT, Look, change_profile, look
from autoscaler.ports import LostRace, StoreRefused, StoreUnreachable
from autoscaler.profile import KEY, Profile, mark_applied, new_profile, read_profile, set_number, step
from providerscripts.store.memory import MemoryStore
from tests.worlds.faulty_store import Fault, FaultyStore, How
from utilities.errors import DocumentFault, HeldElsewhere
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-22T10:00:00Z")


class Ticking:
    """A clock whose time passes only in sleep."""

    def __init__(self) -> None:
        self.at = float(NOW)
        self.slept: list[float] = []

    def now(self) -> Instant:
        return Instant(self.at)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def store(clock: Ticking) -> FaultyStore:
    return FaultyStore(MemoryStore(clock))


def held(store: FaultyStore) -> Profile:
    stored = store.inner.get(KEY)
    assert stored is not None
    return read_profile(stored.body.decode(), "here")


def plant(store: FaultyStore, profile: Profile) -> None:
    store.inner.put(KEY, profile.text().encode())


def to(number: int, by: str = "alice", at: Instant = NOW):
    return lambda seen: set_number(seen.profile, number, by, at, "")


def more(by_n: int, event: str, by: str = "alice", at: Instant = NOW):
    return lambda seen: step(seen.profile, by_n, event, by, at, "")


def behind(store: FaultyStore, verb: str, writes: list[Profile]) -> None:
    """Before each of the next calls of this verb, another writer is faster."""

    def before(asked: str, key: str) -> None:
        if asked == verb and key == KEY and writes:
            plant(store, writes.pop(0))

    store.before = before


def test_the_first_change_creates_it(store: FaultyStore, clock: Ticking) -> None:
    change = change_profile(store, to(5), relative=False, clock=clock, where="adjust-scaling 5")
    assert change.before is None
    assert change.written
    assert held(store).webservers == 5
    assert store.calls == [("get", KEY), ("create", KEY)]


def test_a_first_read_that_was_made_already_is_not_made_again(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    seen = look(store)
    assert seen.date is not None
    change_profile(store, to(5), relative=False, clock=clock, where="x", seen=seen)
    assert store.calls == [("get", KEY), ("swap", KEY)]
    assert clock.slept == []


def test_what_was_refused_for_certain_is_no_doubt(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))

    def full(verb: str, key: str) -> None:
        if verb == "swap":
            raise StoreRefused(f"{key}: the disk is full")

    store.before = full
    with pytest.raises(StoreRefused, match="the disk is full"):
        change_profile(store, to(5), relative=False, clock=clock, where="x")
    assert store.calls == [("get", KEY), ("swap", KEY)]


def test_a_refusal_leaves_an_earlier_doubt(store: FaultyStore, clock: Ticking) -> None:
    """The first put's reply was lost, and whoever wrote since hides its stamp; that the second came to nothing
    tells nothing of the first."""
    plant(store, new_profile(3))
    store.faults.append(Fault(How.UNREACHABLE, "swap", times=1))
    asked: list[str] = []

    def full(verb: str, key: str) -> None:
        asked.append(verb)
        if verb == "swap" and asked.count("swap") > 1:
            raise StoreRefused(f"{key}: the disk is full")

    store.before = full
    with pytest.raises(StoreUnreachable, match="took the change or did not") as caught:
        change_profile(store, to(5), relative=False, clock=clock, where="x")
    assert not isinstance(caught.value, StoreRefused)


@pytest.mark.parametrize("edit", [lambda seen: None, lambda seen: seen.profile])
def test_nothing_to_do_writes_nothing(store: FaultyStore, clock: Ticking, edit) -> None:
    plant(store, new_profile(3))
    change = change_profile(store, edit, relative=True, clock=clock, where="x")
    assert not change.written
    assert store.calls == [("get", KEY)]


def test_a_faulty_profile_is_never_overwritten(store: FaultyStore, clock: Ticking) -> None:
    for body, line in [(b"SCALING_MODE=static\nNO_WEBSERVERS=five\n", 2), (b"a\n\xff\n", 2)]:
        store.inner.put(KEY, body)
        with pytest.raises(DocumentFault) as caught:
            change_profile(store, to(5), relative=False, clock=clock, where="x")
        assert caught.value.faults[0][0] == line
        stored = store.inner.get(KEY)
        assert stored is not None
        assert stored.body == body


def test_an_absolute_number_that_lost_names_who_wrote_what_and_when(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    behind(store, "swap", [set_number(new_profile(3), 7, "bob", NOW, "sale")])
    with pytest.raises(HeldElsewhere, match=r"bob wrote 7 webservers at 2026-11-22T10:00:00.000Z \(sale\)") as err:
        change_profile(store, to(5), relative=False, clock=clock, where="adjust-scaling 5")
    assert err.value.exit_code == 5
    assert held(store).webservers == 7


def test_losing_the_creation_is_losing_too(store: FaultyStore, clock: Ticking) -> None:
    behind(store, "create", [new_profile(7)])
    with pytest.raises(HeldElsewhere, match="someone who left no name wrote 7"):
        change_profile(store, to(5), relative=False, clock=clock, where="adjust-scaling 5")


def test_an_absolute_number_is_not_refused_for_a_mere_event_id(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    behind(store, "swap", [mark_applied(new_profile(3), "morning/2026-11-22T06:30Z", NOW)])
    change = change_profile(store, to(5), relative=False, clock=clock, where="x")
    assert change.written
    assert held(store).webservers == 5
    assert held(store).was_applied("morning/2026-11-22T06:30Z")


def test_two_who_ask_for_the_same_number_agree(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    behind(store, "swap", [set_number(new_profile(3), 5, "bob", NOW, "")])
    change = change_profile(store, to(5), relative=False, clock=clock, where="x")
    assert not change.written
    assert held(store).changed_by == "bob"


def test_a_profile_that_was_removed_meanwhile_is_not_made_again(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    store.before = lambda verb, key: store.inner.delete(KEY) if verb == "swap" else None
    with pytest.raises(HeldElsewhere, match="removed"):
        change_profile(store, to(5), relative=False, clock=clock, where="x")


def test_a_relative_change_is_tried_again_on_what_the_other_wrote(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    behind(store, "swap", [set_number(new_profile(3), n, "bob", Instant(NOW + n), "") for n in (7, 9)])
    change = change_profile(store, more(2, "op-1"), relative=True, clock=clock, where="x", chance=Random(1))
    assert change.written
    assert change.before is not None
    assert (change.before.webservers, held(store).webservers) == (9, 11)
    assert len(clock.slept) == 2
    assert all(WAIT[0] <= seconds <= WAIT[1] for seconds in clock.slept)
    assert len(set(clock.slept)) == 2


def test_after_eight_tries_it_gives_up_and_has_written_nothing(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    behind(store, "swap", [set_number(new_profile(3), 4 + n, "bob", Instant(NOW + n), "") for n in range(99)])
    with pytest.raises(HeldElsewhere, match=f"{TRIES} times"):
        change_profile(store, more(2, "op-1"), relative=True, clock=clock, where="x")
    assert [verb for verb, _ in store.calls].count("swap") == TRIES
    assert not held(store).was_applied("op-1")


@pytest.mark.parametrize(
    ("verb", "start", "relative"),
    [("swap", new_profile(3), True), ("swap", new_profile(3), False), ("create", None, False)],
)
def test_a_lost_reply_is_looked_for_and_not_done_twice(
    store: FaultyStore, clock: Ticking, verb: str, start: Profile | None, relative: bool
) -> None:
    if start is not None:
        plant(store, start)
    store.fault(How.LOST_REPLY, verb, KEY, times=1)
    edit = more(2, "op-1") if relative else to(5)
    change = change_profile(store, edit, relative=relative, clock=clock, where="x")
    assert change.written
    assert held(store).webservers == 5
    assert [v for v, _ in store.calls].count(verb) == 1


@pytest.mark.parametrize("relative", [True, False])
def test_a_put_that_never_arrived_is_sent_again(store: FaultyStore, clock: Ticking, relative: bool) -> None:
    plant(store, new_profile(3))
    store.fault(How.UNREACHABLE, "swap", KEY, times=1)
    edit = more(2, "op-1") if relative else to(5)
    assert change_profile(store, edit, relative=relative, clock=clock, where="x").written
    assert held(store).webservers == 5


def test_a_lost_reply_that_another_wrote_over_is_found_by_its_event(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    store.fault(How.LOST_REPLY, "swap", KEY, times=1)

    def after(verb: str, key: str) -> None:
        if verb == "swap":
            plant(store, set_number(held(store), 9, "bob", Instant(NOW + 1), ""))

    store.after = after
    change = change_profile(store, more(2, "op-1"), relative=True, clock=clock, where="x")
    assert change.written
    assert held(store).webservers == 9, "and +2 is not put on top of what bob wrote afterwards"


def test_a_lost_reply_is_found_when_the_adapter_asked_again_and_was_refused(
    store: FaultyStore, clock: Ticking
) -> None:
    plant(store, new_profile(3))

    class Retrying(FaultyStore):
        def swap(self, key: str, body: bytes, version: str):
            self.inner.swap(key, body, version)
            lost = LostRace("412 to the second sending")
            lost.repeated = True
            raise lost

    change = change_profile(Retrying(store), to(5), relative=False, clock=clock, where="x")
    assert change.written
    assert held(store).webservers == 5


def test_the_same_event_from_another_node_is_done_and_not_ours(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    other = step(new_profile(3), 2, "hourly/2026-11-22T10:00Z", "node 2", Instant(NOW + 1), "")
    assert other is not None
    behind(store, "swap", [other])
    change = change_profile(
        store, more(2, "hourly/2026-11-22T10:00Z", "node 1"), relative=True, clock=clock, where="x"
    )
    assert not change.written
    assert held(store).webservers == 5
    assert held(store).changed_by == "node 2"


def test_of_nodes_that_write_the_same_bytes_in_one_second_one_has_written(store: FaultyStore, clock: Ticking) -> None:
    """An entry bears nobody's name, and the Store's dates are whole seconds."""
    plant(store, new_profile(3))
    seen = look(store)
    fired = [
        change_profile(store, more(2, "hourly/2026-11-22T10:00Z"), relative=True, clock=clock, where="x", seen=seen)
        for _ in range(3)
    ]
    assert [change.written for change in fired] == [True, False, False]
    assert held(store).webservers == 5


def test_a_store_that_cannot_be_asked_at_all_says_so_at_once(store: FaultyStore, clock: Ticking) -> None:
    store.fault(How.UNREACHABLE)
    with pytest.raises(StoreUnreachable):
        change_profile(store, to(5), relative=False, clock=clock, where="x")
    assert len(store.calls) == 1


def test_a_fate_that_cannot_be_learned_is_told_as_doubt(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    store.fault(How.LOST_REPLY, "swap", KEY)
    store.fault(How.UNREACHABLE, "get", KEY, skip=1)
    with pytest.raises(StoreUnreachable, match="took the change or did not") as caught:
        change_profile(store, to(5), relative=False, clock=clock, where="adjust-scaling 5")
    assert caught.value.exit_code == 4
    assert len(store.calls) == 1 + DEAF


def test_a_mere_event_id_that_lost_to_another_is_not_taken_for_written(store: FaultyStore, clock: Ticking) -> None:
    start = set_number(new_profile(3), 5, "bob", NOW, "")
    plant(store, start)
    behind(store, "swap", [mark_applied(start, "noon/2026-11-22T12:00Z", NOW)])
    change_profile(store, lambda s: mark_applied(s.profile, "op-1", NOW), relative=True, clock=clock, where="x")
    assert held(store).was_applied("op-1")
    assert held(store).was_applied("noon/2026-11-22T12:00Z")


@pytest.mark.parametrize("repeated", [False, True])
def test_two_calls_of_one_asker_in_one_second_both_count(
    store: FaultyStore, clock: Ticking, repeated: bool
) -> None:
    """The Store's dates may be whole seconds, so the loser finds a stamp like its own; a put that was sent twice

    might be its own indeed, but for the event.
    """

    class Lossy(FaultyStore):
        def swap(self, key: str, body: bytes, version: str):
            try:
                return self.inner.swap(key, body, version)
            except LostRace as lost:
                lost.repeated = repeated
                raise

    plant(store, new_profile(5))
    seen = look(store)
    for event in ("op-1", "op-2"):
        assert change_profile(
            Lossy(store), more(1, event), relative=True, clock=clock, where="+1", seen=seen, chance=Random(1)
        ).written
    assert held(store).webservers == 7


def test_an_edit_is_told_when_the_store_took_the_version_it_edits(store: FaultyStore, clock: Ticking) -> None:
    plant(store, new_profile(3))
    seen = look(store)
    clock.at += 60
    plant(store, new_profile(4))
    looks: list[Look] = []

    def edit(found: Look) -> Profile | None:
        looks.append(found)
        return step(found.profile, 1, "op-1", "alice", NOW, "")

    change = change_profile(store, edit, relative=True, clock=clock, where="+1", seen=seen)
    assert [(one.profile.webservers, one.modified) for one in looks] == [(3, NOW), (4, NOW + 60)]
    assert change.found == looks[-1]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 2**32))
def test_many_nodes_firing_the_same_events_apply_each_once(nodes: int, steps: list[int], seed: int) -> None:
    store = MemoryStore(Ticking())
    store.put(KEY, new_profile(1).text().encode())
    failures: list[Exception] = []

    def node(k: int) -> None:
        for i, by_n in enumerate(steps):
            edit = more(by_n, f"event-{i}", f"node {k}", Instant(NOW + i + k / 100))
            for _ in range(3):  # as the next ticks would
                try:
                    change_profile(
                        store, edit, relative=True, clock=Ticking(), where=f"node {k}", chance=Random(seed + k)
                    )
                    break
                except HeldElsewhere:
                    continue
                except Exception as err:  # noqa: BLE001 - shown below
                    failures.append(err)
                    break

    threads = [threading.Thread(target=node, args=(k,)) for k in range(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    stored = store.get(KEY)
    assert stored is not None
    assert read_profile(stored.body.decode(), "here").webservers == 1 + sum(steps)
