"""The probe's verdict on each manner of endpoint, and this machine's memory of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.ports import Conditional, LostRace, Store, StoreUnreachable, Written
from providerscripts.store.memory import MemoryStore
from providerscripts.store.probe import ConditionsUnsupported, probe
from providerscripts.store.s3 import S3Store
from providerscripts.store.verdict import known, remembered
from tests.providerscripts.store.s3_double import Double
from tests.worlds.faulty_store import FaultyStore, How
from utilities.clock import SystemClock
from utilities.instant import Instant

Make = Callable[..., S3Store]


class Turned:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> Instant:
        return Instant(self.at)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_every_honest_store_passes_and_is_left_clean(store: Store) -> None:
    store.put("mine", b"")
    assert probe(store, rounds=2) is Conditional.YES
    assert store.conditional is Conditional.YES
    assert store.keys("") == ["mine"]


@pytest.mark.parametrize(
    ("manners", "verdict", "unquoted"),
    [
        ("both", Conditional.YES, False),
        ("unquoted", Conditional.YES, True),
        ("create", Conditional.CREATE_ONLY, False),
        ("none", Conditional.NO, False),
        ("501", Conditional.NO, False),
    ],
)
def test_verdicts(double: Double, on_double: Make, manners: str, verdict: Conditional, unquoted: bool) -> None:
    double.conditions = manners
    store = on_double(conditional=Conditional.NO)
    assert probe(store) is verdict
    assert (store.conditional, store.unquoted) == (verdict, unquoted)
    assert double.objects == {}, "the probe cleans up"
    # And with that verdict the Store does what its endpoint can.
    version = store.create("a", b"1").version
    assert store.swap("a", b"2", version).version != version


def test_an_endpoint_that_honours_only_while_alone_is_found_out(double: Double, on_double: Make) -> None:
    """It compares and then writes, with room for others in between: only the race shows it."""
    double.gap = 0.05
    assert probe(on_double()) is Conditional.NO


def test_a_stale_etag_is_tried_without_a_race_too(double: Double, on_double: Make) -> None:
    """If-Match that only asks whether the object exists."""
    double.conditions = "exists"
    assert probe(on_double(), rounds=0) is Conditional.CREATE_ONLY


def test_a_yes_to_two_writers_is_found_out_though_the_first_ones_bytes_stay() -> None:
    """An endpoint that drops the second write and answers 200 all the same."""

    class Polite(FaultyStore):
        def create(self, key: str, body: bytes) -> Written:
            try:
                return self.inner.create(key, body)
            except LostRace:
                if "race" not in key:
                    raise
                time.sleep(0.2)  # so that the true winner is heard first
                return Written("other", Instant(0.0))

    assert probe(Polite(MemoryStore(SystemClock()))) is Conditional.NO


def test_a_store_that_ignores_conditions_now_and_then() -> None:
    for verb, verdict in (("create", Conditional.NO), ("swap", Conditional.CREATE_ONLY)):
        store = FaultyStore(MemoryStore(SystemClock()))
        store.fault(How.UNCONDITIONAL, verb)
        assert probe(store) is verdict
        assert store.conditional is verdict


def test_a_busy_endpoint_still_gets_its_verdict(double: Double, on_double: Make) -> None:
    store = on_double()
    double.busy = 2
    assert probe(store) is Conditional.YES


def test_lost_replies_do_not_make_an_honest_endpoint_a_liar(double: Double, on_double: Make) -> None:
    """The repeated request is refused: a round without a winner, and no second one."""
    store = on_double()
    before = store.put

    def put_then_drop(key: str, body: bytes) -> object:
        answer = before(key, body)
        double.drop_after_put = 1
        return answer

    store.put = put_then_drop  # type: ignore[method-assign, assignment]
    assert probe(store) is Conditional.YES


def test_cannot_be_asked_passes_and_changes_nothing(double: Double, on_double: Make) -> None:
    store = on_double(conditional=Conditional.CREATE_ONLY, attempts=1)
    double.busy = 1_000_000
    with pytest.raises(StoreUnreachable):
        probe(store)
    assert store.conditional is Conditional.CREATE_ONLY
    for verb in ("create", "swap", "put", "get", "keys", "delete"):
        faulty = FaultyStore(MemoryStore(SystemClock()))
        faulty.conditional = Conditional.NO
        faulty.fault(How.UNREACHABLE, verb, skip=1)
        faulty.put("probe/of-another", b"")  # so that get and delete are asked at all
        with pytest.raises(StoreUnreachable):
            probe(faulty)


def test_who_may_not_write_gets_no_verdict(double: Double, on_double: Make) -> None:
    """An endpoint that refuses every write has not refused the condition."""
    store = on_double(conditional=Conditional.CREATE_ONLY, attempts=1)
    for refusal in ((501, "NotImplemented"), (403, "AccessDenied"), (400, "ExpiredToken")):
        double.refuse_puts = refusal
        with pytest.raises(StoreUnreachable):
            probe(store)
        assert store.conditional is Conditional.CREATE_ONLY


def test_what_a_killed_probe_left_is_swept() -> None:
    clock = Turned()
    store = MemoryStore(clock)
    store.put("probe/dead/create", b"")
    clock.at += 3000
    store.put("probe/alive/create", b"")
    clock.at += 1000
    probe(store, rounds=1)
    assert store.keys("") == ["probe/alive/create"]


def test_the_verdict_is_remembered_for_a_day(double: Double, on_double: Make, tmp_path: Path) -> None:
    clock, state = Turned(), tmp_path / "state" / "deeper"
    double.conditions = "unquoted"
    first = remembered(on_double(conditional=Conditional.NO), state, clock)
    assert (first.conditional, first.unquoted, first.probed, first.note) == (Conditional.YES, True, True, "")
    asked = len(double.puts)
    store = on_double(conditional=Conditional.NO)
    clock.at += 23 * 3600
    again = remembered(store, state, clock)
    assert (again.conditional, again.unquoted, again.probed) == (Conditional.YES, True, False)
    assert (store.conditional, store.unquoted) == (Conditional.YES, True)
    assert len(double.puts) == asked, "a tick does not probe anew"
    clock.at += 2 * 3600
    double.conditions = "none"
    late = remembered(on_double(conditional=Conditional.NO), state, clock)
    assert (late.conditional, late.probed) == (Conditional.NO, True)
    clock.at -= 1000  # turned back: what stands there is from the future
    assert remembered(on_double(conditional=Conditional.NO), state, clock).probed


def test_another_store_has_a_verdict_of_its_own(double: Double, on_double: Make, tmp_path: Path) -> None:
    clock = Turned()
    remembered(on_double(conditional=Conditional.NO), tmp_path, clock)
    other = on_double(conditional=Conditional.NO)
    other.where += "-other"
    assert remembered(other, tmp_path, clock).probed
    assert not remembered(on_double(conditional=Conditional.NO), tmp_path, clock).probed


@pytest.mark.parametrize(
    "rubbish",
    ["", "{", "[]", "null", '{"format": 1}', '{"format": 2, "stores": {}}', '{"format": 1, "stores": [1]}',
     '{"format": 1, "stores": {"URL": {"at": 3, "conditional": "yes", "unquoted": false}}}',
     '{"format": 1, "stores": {"URL": {"at": "2027-01-15T08:00:00Z", "conditional": "perhaps"}}}'],
)  # fmt: skip
def test_a_memory_that_cannot_be_read_means_asking_anew(
    double: Double, on_double: Make, tmp_path: Path, rubbish: str
) -> None:
    store = on_double(conditional=Conditional.NO)
    (tmp_path / "stores.json").write_text(rubbish.replace("URL", store.where))
    assert remembered(store, tmp_path, Turned(), rounds=1).probed
    assert json.loads((tmp_path / "stores.json").read_text())["stores"][store.where]["conditional"] == "yes"


def test_a_memory_that_cannot_be_written_is_said(double: Double, on_double: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = remembered(on_double(conditional=Conditional.NO), tmp_path / "file" / "state", Turned(), rounds=1)
    assert found.conditional is Conditional.YES
    assert "probed anew each time" in found.note


def test_stores_that_honour_by_construction_are_not_asked(tmp_path: Path) -> None:
    store = FaultyStore(MemoryStore(SystemClock()))
    assert not remembered(store, tmp_path, SystemClock()).probed
    assert store.calls == []


def test_who_only_wishes_believes_an_old_verdict(double: Double, on_double: Make, tmp_path: Path) -> None:
    clock = Turned()
    remembered(on_double(conditional=Conditional.NO), tmp_path, clock)
    asked = len(double.puts)
    clock.at += 365 * 24 * 3600
    store = on_double(conditional=Conditional.NO)
    found = known(store, tmp_path, clock)
    assert (found.conditional, found.probed, store.conditional) == (Conditional.YES, False, Conditional.YES)
    assert len(double.puts) == asked


def test_who_only_wishes_does_not_race(double: Double, on_double: Make, tmp_path: Path) -> None:
    clock = Turned()
    verdicts = {"exists": Conditional.CREATE_ONLY, "none": Conditional.NO, "both": Conditional.YES}
    for manners, verdict in verdicts.items():
        double.conditions, double.puts = manners, []
        found = known(on_double(conditional=Conditional.NO), tmp_path / manners, clock)
        assert (found.conditional, found.probed, found.raced) == (verdict, True, False)
        assert len(double.puts) < 10
        assert not [key for key, *_ in double.puts if "race" in key]
    # Who acts does not believe a verdict without races; it then holds for both.
    assert remembered(on_double(conditional=Conditional.NO), tmp_path / "both", clock).probed
    assert not remembered(on_double(conditional=Conditional.NO), tmp_path / "both", clock).probed
    assert known(on_double(conditional=Conditional.NO), tmp_path / "both", clock).raced


@pytest.mark.parametrize("judge", [known, remembered])
def test_an_endpoint_that_refuses_conditions_all_at_once_is_judged_anew(
    double: Double, on_double: Make, tmp_path: Path, judge: Callable[..., object]
) -> None:
    clock = Turned()
    judge(on_double(conditional=Conditional.NO), tmp_path, clock)
    store = on_double(conditional=Conditional.NO)
    judge(store, tmp_path, clock)
    double.conditions = "501"
    with pytest.raises(ConditionsUnsupported):
        store.create("a", b"")
    store = on_double(conditional=Conditional.NO)
    found = known(store, tmp_path, clock)
    assert (found.conditional, found.probed) == (Conditional.NO, True)
    store.create("a", b"")
