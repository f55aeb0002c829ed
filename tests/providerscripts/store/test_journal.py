"""The Journal in a Store."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.ports import LostRace, Store, StoreUnreachable
from providerscripts.store.file import FileStore
from providerscripts.store.journal import StoreJournal
from providerscripts.store.memory import MemoryStore
from tests.worlds.faulty_store import FaultyStore, How
from utilities.clock import SystemClock
from utilities.instant import Instant, from_text

DAY = 86400.0


class Turned:
    """A clock that a test turns."""

    def __init__(self, at: str) -> None:
        self.at = float(from_text(at))

    def now(self) -> Instant:
        return Instant(self.at)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> Turned:
    return Turned("2026-11-22T07:30:00.250Z")


def test_what_is_written_is_read_oldest_first(store: Store) -> None:
    """On every adapter, with real time."""
    one, two = StoreJournal(store, 1, SystemClock()), StoreJournal(store, 2, SystemClock())
    one.write("cycle", 7, {"plan": [], "why": "8 webservers serve, 8 are wanted ✓"})
    two.write("round", 3, {"verdicts": {"ws-a-1-1": "alive"}})
    for turn in range(12):
        one.write("cycle", 8 + turn, {})
    entries = one.read()
    assert sorted((e["node"], e["kind"], e["run"]) for e in entries) == sorted(
        [(1, "cycle", 7), (2, "round", 3), *((1, "cycle", 8 + turn) for turn in range(12))]
    )
    assert [e["at"] for e in entries] == sorted(e["at"] for e in entries)
    assert next(e for e in entries if e["run"] == 7)["why"] == "8 webservers serve, 8 are wanted ✓"


def test_keys(clock: Turned) -> None:
    store = MemoryStore(clock)
    journal = StoreJournal(store, 3, clock)
    journal.write("cycle", 1, {})
    journal.write("cycle", 1, {"second": "at the same instant"})
    journal.write("round", 1, {})
    assert store.keys("") == [
        "journal/2026-11-22/3-cycle-27000250.jsonl",
        "journal/2026-11-22/3-cycle-27000251.jsonl",
        "journal/2026-11-22/3-round-27000250.jsonl",
    ]
    assert len(journal.read()) == 3


def test_a_write_whose_reply_was_lost_stands_there_once(clock: Turned) -> None:
    """The repeated create meets its own first try and takes it for done."""

    class Repeating(FaultyStore):
        def create(self, key: str, body: bytes) -> object:  # type: ignore[override]
            self.inner.create(key, body)
            raise LostRace(f"{key} exists already")

    store = Repeating(MemoryStore(clock))
    StoreJournal(store, 1, clock).write("cycle", 1, {"a": 1})  # type: ignore[arg-type]
    assert len(store.keys("journal/")) == 1


def test_cannot_be_asked_is_no_empty_journal(clock: Turned) -> None:
    store = FaultyStore(MemoryStore(clock))
    journal = StoreJournal(store, 1, clock)
    for number in range(20):
        journal.write("cycle", number, {})
    for verb in ("keys", "get"):
        fault = store.fault(How.UNREACHABLE, verb, skip=1)
        with pytest.raises(StoreUnreachable):
            journal.read(clock.now())
        store.faults.remove(fault)
    store.fault(How.UNREACHABLE, "create")
    with pytest.raises(StoreUnreachable):
        journal.write("cycle", 1, {})


def test_only_the_days_needed_are_listed_and_only_entries_needed_fetched(clock: Turned) -> None:
    store = FaultyStore(MemoryStore(clock))
    journal = StoreJournal(store, 1, clock, readers=1)
    for _ in range(10):
        journal.write("cycle", 1, {})
        clock.at += DAY / 2
    clock.at -= DAY / 2
    store.calls.clear()
    since = Instant(clock.at - 1.25 * DAY)
    entries = journal.read(since)
    assert [from_text(e["at"]) for e in entries] == [clock.at - DAY, clock.at - DAY / 2, clock.at]
    listed = [key for verb, key in store.calls if verb == "keys"]
    assert listed == [f"journal/2026-11-{day}/" for day in (25, 26, 27)]
    assert len([key for verb, key in store.calls if verb == "get"]) == 3


def test_since_is_included_and_another_nodes_fast_clock_too(clock: Turned) -> None:
    store = MemoryStore(clock)
    fast = Turned("2026-11-22T07:30:00.250Z")
    fast.at += DAY
    StoreJournal(store, 1, clock).write("cycle", 1, {})
    StoreJournal(store, 2, fast).write("cycle", 1, {})
    journal = StoreJournal(store, 1, clock)
    assert [e["node"] for e in journal.read(clock.now())] == [1, 2]
    assert [e["node"] for e in journal.read(Instant(clock.at + 0.001))] == [2]
    assert [e["node"] for e in journal.read(Instant(clock.at - 400 * DAY))] == [1, 2]
    assert journal.read(Instant(clock.at + 3 * DAY)) == []


def test_what_cannot_be_read_is_said_in_its_place(clock: Turned) -> None:
    store = MemoryStore(clock)
    journal = StoreJournal(store, 1, clock)
    journal.write("cycle", 1, {"fine": True})
    store.put(
        "journal/2026-11-22/2-cycle-27000300.jsonl",
        b'{"format": 1, "at": "2026-11-22T07:30:00.300Z", "ok": 1}\n{"format": 1, "half": \n[]\n\xff\xfe\n'
        b'{"format": 2}\n',
    )
    store.put("journal/2026-11-22/2-cycle-27000400.jsonl", b"")
    store.put("journal/2026-11-22/strange.txt", b"hello")
    store.put("journal/2026-99-99/2-cycle-27000400.jsonl", b"x")
    entries = journal.read()
    bad = [e for e in entries if "unreadable" in e]
    assert len(entries) == 9
    assert [(e["key"].rsplit("/", 1)[1], e["line"]) for e in bad if e["at"]] == [
        *(("2-cycle-27000300.jsonl", line) for line in (2, 3, 4, 5)),
        ("2-cycle-27000400.jsonl", 1),
    ]
    assert sorted(e["key"] for e in bad if not e["at"]) == [
        "journal/2026-11-22/strange.txt",
        "journal/2026-99-99/2-cycle-27000400.jsonl",
    ]
    assert "format 2" in bad[-2]["unreadable"]
    assert "not JSON" in bad[2]["unreadable"]
    assert [e["key"] for e in journal.read(Instant(clock.at + 0.1)) if e.get("at") and "unreadable" in e] == [
        "journal/2026-11-22/2-cycle-27000400.jsonl"
    ]


def test_a_word_of_the_journals_own_is_not_overwritten(clock: Turned) -> None:
    journal = StoreJournal(MemoryStore(clock), 1, clock)
    journal.write("cycle", 5, {"run": 5, "at": "2026-11-22T07:00:00.000Z"})
    assert journal.read()[0]["at"] == "2026-11-22T07:00:00.000Z"
    with pytest.raises(ValueError, match="'run'"):
        journal.write("cycle", 5, {"run": 6})
    for kind in ("", "Cycle", "a/b", "..", "1"):
        with pytest.raises(ValueError, match="no kind"):
            journal.write(kind, 1, {})


def test_prune_keeps_ninety_days_by_the_stores_clock(clock: Turned) -> None:
    store = MemoryStore(clock)
    journal = StoreJournal(store, 1, clock)
    for _ in range(95):
        journal.write("cycle", 1, {})
        clock.at += DAY
    clock.at -= DAY
    store.put("journal/readme", b"someone's")
    mad = Turned("2036-01-01T00:00:00Z")
    assert StoreJournal(store, 2, mad).prune() == 4, "a node in another year throws nothing away"
    assert len(journal.read()) == 91 + 1
    assert journal.prune() == 0
    assert journal.prune(keep_days=0) == 90
    assert store.keys("") == ["journal/2027-02-24/1-cycle-27000250.jsonl", "journal/readme"]


def test_a_prune_is_bounded_and_takes_the_oldest_first(store: Store) -> None:
    """On every adapter: many old entries go in three goes, by a node in another year too, and nothing else goes."""
    days = 3 if store.where.startswith("s3") else 10
    body = b'{"format": 1}\n'
    for number in range(days * 100):
        day, millisecond = divmod(number, 100)
        store.put(f"journal/2020-01-{day + 1:02d}/1-cycle-{millisecond:08d}.jsonl", body)
    now = StoreJournal(store, 1, SystemClock())
    now.write("cycle", 1, {})
    mad = StoreJournal(store, 1, Turned("2090-01-01T00:00:00Z"))
    most = days * 40 + 10
    assert mad.prune(90, most) == most
    left = [key for key in store.keys("journal/") if "2020" in key]
    day, millisecond = divmod(most, 100)
    assert (len(left), left[0]) == (
        days * 100 - most, f"journal/2020-01-{day + 1:02d}/1-cycle-{millisecond:08d}.jsonl",
    )  # fmt: skip
    assert [mad.prune(90, most), mad.prune(90, most), mad.prune(90, most)] == [most, days * 20 - 20, 0]
    assert len(now.read()) == 1


def test_back_reads_newest_first_and_only_what_is_taken(clock: Turned) -> None:
    store = FaultyStore(MemoryStore(clock))
    pens = [StoreJournal(store, node, clock, readers=4) for node in (1, 2)]
    for number in range(300):
        pens[number % 2].write("cycle" if number % 3 else "wish", number, {})
        clock.at += 60
    store.calls.clear()
    taken = [noted.entry["run"] for noted, _ in zip(pens[0].back(), range(20), strict=False)]
    assert taken == list(range(299, 279, -1))
    assert len([verb for verb, _ in store.calls if verb == "get"]) <= 24
    assert [key for verb, key in store.calls if verb == "keys"] == ["journal/2026-11-23/", "journal/2026-11-22/"]
    store.calls.clear()
    assert [n.entry["run"] for n in pens[0].back(node=2, kind="wish")] == list(range(297, 0, -6))
    fetched = [key for verb, key in store.calls if verb == "get"]
    assert len(fetched) == 50, "the key tells node and kind: the others are not fetched"
    began = from_text("2026-11-22T07:30:00.250Z")
    window = [n.entry["run"] for n in pens[0].back(Instant(began + 600), Instant(began + 720))]
    assert window == [11, 10], "since is included, until is not"


def test_back_reaches_the_oldest_whatever_lies_between(clock: Turned) -> None:
    store = MemoryStore(clock)
    journal = StoreJournal(store, 1, clock)
    for days in (0, 1, 40, 300):
        clock.at += days * DAY
        journal.write("cycle", days, {})
    store.put("journal/readme", b"someone's")
    store.put("journal/2026-99-99/2-cycle-27000400.jsonl", b"x")
    StoreJournal(store, 2, Turned("2090-01-01T00:00:00Z")).write("cycle", 9, {})
    found = list(journal.back())
    assert [n.entry.get("run") for n in found if n.written is not None] == [300, 9, 40, 1, 0]
    assert sorted((n.key, bool(n.fault), n.line) for n in found if n.written is None) == [
        ("journal/2026-99-99/2-cycle-27000400.jsonl", True, 1), ("journal/readme", True, 1),
    ]  # fmt: skip
    since = Instant(from_text("2026-11-22T00:00:00Z"))
    assert [n.entry["run"] for n in journal.back(since) if n.written] == [300, 9, 40, 1, 0]
    assert [n.entry["run"] for n in journal.back(since, Instant(since + 2 * DAY))] == [1, 0]


def test_back_of_a_journal_that_cannot_be_asked_is_not_empty(clock: Turned) -> None:
    store = FaultyStore(MemoryStore(clock))
    journal = StoreJournal(store, 1, clock)
    assert list(journal.back()) == []
    journal.write("cycle", 1, {})
    for verb in ("keys", "get"):
        fault = store.fault(How.UNREACHABLE, verb)
        with pytest.raises(StoreUnreachable):
            list(journal.back())
        store.faults.remove(fault)


def test_prune_of_nothing(clock: Turned) -> None:
    assert StoreJournal(MemoryStore(clock), 1, clock).prune() == 0


def test_folders_of_pruned_days_go_too(tmp_path: Path, clock: Turned) -> None:
    store = FileStore(tmp_path / "store", make=True)
    StoreJournal(store, 1, Turned("2020-01-01T00:00:00Z")).write("cycle", 1, {})
    assert StoreJournal(store, 1, clock).prune() == 1
    assert [path.name for path in Path(store.root).iterdir()] == [".tmp"]
