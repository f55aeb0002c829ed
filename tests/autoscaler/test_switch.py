"""The kill switch is off only when both its keys are certainly absent or over."""

from __future__ import annotations

import json
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.switch import KEY, KEYS, OLD_KEY, Kind, Switch, both, parse_switch, read_switch
from providerscripts.store.memory import MemoryStore
from tests.worlds.faulty_store import FaultyStore, How
from utilities.clock import SystemClock
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-22T10:00:00Z")
LATER = from_text("2026-11-22T11:00:00Z")
ALL = frozenset({Kind.ALL})
SCALEUP = frozenset({Kind.SCALEUP})


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock())


def test_two_sure_absences_are_no_switch(store: MemoryStore) -> None:
    assert read_switch(store, NOW) is None


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("body", [b"", b"\n", b"  \r\n"])
def test_an_empty_body_under_either_name_is_all_without_end(store: MemoryStore, key: str, body: bytes) -> None:
    store.put(key, body)
    found = read_switch(store, Instant(NOW + 1e9))
    assert found is not None
    assert (found.kinds, found.until) == (ALL, None)
    assert key in found.sentence()


@pytest.mark.parametrize("key", KEYS)
def test_a_store_that_cannot_be_asked_forbids_all(store: MemoryStore, key: str) -> None:
    faulty = FaultyStore(store)
    faulty.fault(How.UNREACHABLE, "get", key)
    found = read_switch(faulty, NOW)
    assert found is not None
    assert found.kinds == ALL
    assert "cannot be asked" in found.sentence()
    assert "scripted: not reached" in found.sentence()


def test_a_switch_for_some_hides_no_switch_that_cannot_be_asked(store: MemoryStore) -> None:
    store.put(KEY, Switch(SCALEUP, "alice").body())
    faulty = FaultyStore(store)
    faulty.fault(How.UNREACHABLE, "get", OLD_KEY)
    found = read_switch(faulty, NOW)
    assert found is not None
    assert found.kinds == ALL


UNREADABLE = {
    "no JSON": b"off",
    "not an object": b"[1]",
    "a word": b'"all"',
    "no format": b'{"kinds": ["all"]}',
    "a newer format": b'{"format": 2, "kinds": ["scaleup"]}',
    "no kinds": b'{"format": 1}',
    "empty kinds": b'{"format": 1, "kinds": []}',
    "kinds are text": b'{"format": 1, "kinds": "scaleup"}',
    "unknown kind": b'{"format": 1, "kinds": ["scaleup", "scalesideways"]}',
    "pauses that are none": b'{"format": 1, "kinds": ["scaleup"], "pauses": []}',
    "pauses that disagree": b'{"format": 1, "kinds": ["scaleup"], "pauses": [{"kinds": ["reboot"]}]}',
    "bad until": b'{"format": 1, "kinds": ["scaleup"], "until": "noon"}',
    "until is a number": b'{"format": 1, "kinds": ["scaleup"], "until": 5}',
    "until has no zone": b'{"format": 1, "kinds": ["scaleup"], "until": "2026-11-22T09:00:00"}',
    "who is a list": b'{"format": 1, "kinds": ["scaleup"], "who": []}',
    "not UTF-8": b"\xff\xfe{",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_understood_is_all_without_end(body: bytes) -> None:
    found = parse_switch(body, KEY)
    assert (found.kinds, found.until) == (ALL, None)
    assert "cannot be understood" in found.sentence()


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_body_is_ever_taken_for_an_absence(body: bytes) -> None:
    store = MemoryStore(SystemClock())
    store.put(KEY, body)
    assert read_switch(store, NOW) is not None


@settings(deadline=None)
@given(st.sets(st.sampled_from(Kind), min_size=1), st.text(), st.text(), st.none() | st.integers(0, 4_000_000_000))
def test_what_pause_writes_is_read(kinds: set[Kind], who: str, why: str, until: int | None) -> None:
    switch = Switch(frozenset(kinds), who, why, None if until is None else Instant(until))
    assert parse_switch(switch.body(), KEY) == switch
    assert json.loads(switch.body())["format"] == 1


def test_it_ends_at_its_end(store: MemoryStore) -> None:
    switch = Switch(SCALEUP, "alice", "sale", LATER)
    store.put(KEY, switch.body())
    assert read_switch(store, Instant(LATER - 1)) == switch
    assert read_switch(store, LATER) is None


def test_one_that_is_over_hides_no_other(store: MemoryStore) -> None:
    store.put(KEY, Switch(ALL, "alice", "", NOW).body())
    store.put(OLD_KEY, b"")
    found = read_switch(store, LATER)
    assert found is not None
    assert found.kinds == ALL
    assert found.until is None


def test_two_at_once_forbid_what_either_forbids(store: MemoryStore) -> None:
    store.put(KEY, Switch(SCALEUP, "alice", "one", LATER).body())
    store.put(OLD_KEY, Switch(frozenset({Kind.REBOOT}), "bob", "two", Instant(LATER + 60)).body())
    found = read_switch(store, NOW)
    assert found is not None
    assert found.kinds == {Kind.SCALEUP, Kind.REBOOT}
    assert found.until == LATER + 60


def test_each_of_two_pauses_ends_at_its_own_end(store: MemoryStore) -> None:
    switch = both(Switch(ALL, "alice", "storm", LATER), Switch(SCALEUP, "bob", "sale"))
    assert parse_switch(switch.body(), KEY) == switch
    store.put(KEY, switch.body())
    now = read_switch(store, NOW)
    assert now is not None
    assert (now.kinds, now.until) == (ALL, None)
    assert now.forbids("reboot")
    later = read_switch(store, LATER)
    assert later == Switch(SCALEUP, "bob", "sale")


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Switch,
            st.frozensets(st.sampled_from(Kind), min_size=1),
            st.sampled_from(["ann", "bob"]),
            st.just(""),
            st.none() | st.integers(1, 5).map(lambda n: Instant(n * 1000.0)),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(Kind),
    st.integers(0, 6).map(lambda n: Instant(n * 1000.0)),
)
def test_together_they_forbid_what_any_of_them_forbids_at_that_time(
    pauses: list[Switch], kind: Kind, now: Instant
) -> None:
    together = parse_switch(reduce(both, pauses).body(), KEY).in_force(now)
    alone = any(not pause.over(now) and pause.forbids(kind) for pause in pauses)
    assert (together is not None and together.forbids(kind)) is alone


FORBIDDEN = [
    # kinds, step, for health, forbidden
    (ALL, "create", False, True),
    (ALL, "withdraw", True, True),
    (ALL, "destroy", False, True),
    (ALL, "reboot", False, True),
    (ALL, "admit", False, False),
    (ALL, Kind.SCALEUP, False, True),
    (SCALEUP, "create", False, True),
    (SCALEUP, "create", True, False),
    (SCALEUP, "destroy", False, False),
    (SCALEUP, Kind.SCALEUP, False, True),
    (SCALEUP, Kind.SCALEDOWN, False, False),
    (SCALEUP, "something new", False, True),
    ({Kind.SCALEDOWN}, "withdraw", False, True),
    ({Kind.SCALEDOWN}, "destroy", False, True),
    ({Kind.SCALEDOWN}, "destroy", True, False),
    ({Kind.REPLACE}, "create", True, True),
    ({Kind.REPLACE}, "withdraw", True, True),
    ({Kind.REPLACE}, "destroy", True, True),
    ({Kind.REPLACE}, "destroy", False, False),
    ({Kind.REBOOT}, "reboot", False, True),
    ({Kind.REBOOT}, "create", False, False),
    ({Kind.REBOOT}, "admit", False, False),
]


@pytest.mark.parametrize(("kinds", "step", "healing", "forbidden"), FORBIDDEN)
def test_what_each_kind_forbids(kinds: set[Kind], step: str, healing: bool, forbidden: bool) -> None:
    assert Switch(frozenset(kinds)).forbids(step, healing) is forbidden
