"""pause and resume: the kill switch as people set it; one pause never lets loose what another holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.share import Brake, Share, key_of, read_share
from autoscaler.switch import KEY, OLD_KEY, Kind, Switch, read_switch
from autoscaler.webserver import Record, State
from tests.helperscripts.desk import Desk
from utilities.clock import SystemClock
from utilities.instant import Instant


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def switch(desk: Desk) -> Switch | None:
    return read_switch(desk.store, SystemClock().now())


def test_pause_is_all_without_end_by_whom_and_why(desk: Desk) -> None:
    said = desk("pause", "--reason", "the cloud is in trouble")
    assert said.code == 0
    assert said.out.startswith("everything is switched off without end by alice@")
    found = switch(desk)
    assert found is not None
    assert (found.kinds, found.why, found.until) == (frozenset({Kind.ALL}), "the cloud is in trouble", None)


def test_kinds_and_an_end(desk: Desk) -> None:
    said = desk("pause", "scaledown", "reboot", "--until", "+2h", "--json")
    assert said.json["kinds"] == ["reboot", "scaledown"]
    found = switch(desk)
    assert found is not None
    assert found.forbids("destroy")
    assert not found.forbids("create")
    assert found.over(Instant(SystemClock().now() + 7201))


def test_the_same_pause_again_is_already_so(desk: Desk) -> None:
    desk("pause", "--reason", "x")
    before = desk.store.get(KEY)
    assert desk("pause", "--reason", "x").out.startswith("already so: everything")
    after = desk.store.get(KEY)
    assert before is not None
    assert after is not None
    assert (after.version, after.modified) == (before.version, before.modified)


def test_another_pause_forbids_more_and_never_less(desk: Desk) -> None:
    desk.store.put(KEY, Switch(frozenset({Kind.SCALEUP}), "bob", "storm").body())
    said = desk("pause", "reboot", "--until", "+1h")
    assert said.out.startswith("scaleup is switched off without end by bob: storm; reboot is switched off until")
    assert "each until its own end" in said.out
    found = switch(desk)
    assert found is not None
    assert (found.kinds, found.until) == (frozenset({Kind.SCALEUP, Kind.REBOOT}), None)
    assert "bob" in found.who
    assert "alice" in found.who


def test_a_second_pause_without_end_makes_no_other_endless(desk: Desk) -> None:
    desk("pause", "--until", "+30min", "--reason", "storm")
    said = desk("pause", "scaledown", "--reason", "campaign")
    assert said.out.startswith("everything is switched off until ")
    assert "; scaledown is switched off without end by alice" in said.out
    now = SystemClock().now()
    held = read_switch(desk.store, now)
    assert held is not None
    assert held.forbids("create")
    later = read_switch(desk.store, Instant(now + 1860))
    assert later is not None
    assert later.forbids("destroy")
    assert not later.forbids("create")
    assert later.sentence().endswith("without end by " + later.who + ": campaign")


def test_a_second_pause_never_shortens_the_first(desk: Desk) -> None:
    desk("pause", "--until", "+2h")
    before = desk.store.get(KEY)
    assert desk("pause", "reboot", "--until", "+1h").out.startswith("already so: everything")
    after = desk.store.get(KEY)
    assert before is not None
    assert after is not None
    assert after.version == before.version
    desk("pause", "--until", "+3h")  # the later end
    found = switch(desk)
    assert found is not None
    assert not found.parts
    assert not found.over(Instant(SystemClock().now() + 2.5 * 3600))


def test_the_answer_tells_what_the_older_name_holds_too(desk: Desk) -> None:
    desk.store.put(OLD_KEY, b"")
    said = desk("pause", "reboot", "--until", "+1h")
    assert "everything is switched off without end by an empty SWITCHOFFSCALING in the Store" in said.out
    assert desk.store.get(KEY) is not None  # ours stands there too, for when somebody takes the other away


def test_a_pause_that_is_over_is_replaced(desk: Desk) -> None:
    desk.store.put(KEY, Switch(who="bob", until=Instant(1.6e9)).body())
    desk("pause", "reboot")
    found = switch(desk)
    assert found is not None
    assert found.kinds == frozenset({Kind.REBOOT})
    assert "bob" not in found.who


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["everything"], "'everything' is not one of 'all', 'scaleup', 'scaledown', 'replace', 'reboot'"),
        (["--until", "2020-01-01T10:00"], "is past"),
    ],
)
def test_what_cannot_be_changes_nothing(desk: Desk, argv: list[str], sentence: str) -> None:
    said = desk("pause", *argv)
    assert said.code == 2
    assert sentence in said.err
    assert desk.store.get(KEY) is None


def test_the_kinds_are_the_switchs() -> None:
    from helperscripts.verbs.pause import KINDS

    assert list(KINDS) == [kind.value for kind in Kind]


def test_resume_takes_both_names_off(desk: Desk) -> None:
    desk.store.put(KEY, Switch(frozenset({Kind.REBOOT}), "bob", "storm").body())
    desk.store.put(OLD_KEY, b"")
    said = desk("resume")
    assert said.code == 0
    assert said.out == (
        "taken off: reboot is switched off without end by bob: storm; and everything is switched off without end by "
        "an empty SWITCHOFFSCALING in the Store\n"
    )
    assert desk.store.keys("SWITCH") == []
    assert desk("resume").out == "nothing was switched off: nothing to do\n"


def test_resume_brake_lifts_it_on_all_shares_and_touches_no_lease(desk: Desk) -> None:
    record = Record("ws-web-1-0001", State.UP, Instant(1.0), Instant(1.0), id="a")
    shares = [
        Share(1, 1, epoch=4, records={record.name: record}, brake=Brake(Instant(1.0), 5, 6)),
        Share(2, 3, epoch=7, brake=Brake(Instant(1.0), 2, 3)),
        Share(3, 3),
    ]
    for share in shares:
        desk.store.put(key_of(share.share), share.body())
    desk("pause", "reboot")
    said = desk("resume", "--brake")
    assert said.code == 0
    assert "the brake of share 1, 2 is lifted" in said.out
    assert "Note: reboot is switched off" in said.out  # a pause stays as it is
    for share in shares:
        found = desk.store.get(key_of(share.share))
        assert found is not None
        after = read_share(found.body, "")
        assert (after.holder, after.epoch, after.records) == (share.holder, share.epoch, dict(share.records))
        assert (after.brake is None) == (share.brake is None)
        assert after.brake is None or after.brake.lifted
    assert desk("resume", "--brake").out.startswith("no brake is on: nothing to do")
