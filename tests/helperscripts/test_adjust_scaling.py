"""adjust-scaling: shows, asks, writes once; what it cannot do it says in one sentence, and then nothing changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.change import look
from autoscaler.profile import KEY, new_profile, set_number
from autoscaler.switch import Switch
from helperscripts import wiring
from tests.helperscripts.desk import BERLIN, Desk, at_terminal, in_zone
from utilities.clock import SystemClock
from utilities.instant import Instant, to_text

THREE = "mode: production\nnodes: 3\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with in_zone(BERLIN, monkeypatch):
        yield


def test_the_first_number_makes_the_profile_with_nothing_but_the_store(desk: Desk) -> None:
    said = desk("adjust-scaling", "5", "--yes", "--reason", "opening")
    assert said.code == 0
    assert "at least 1, at most 20; 1 node" in said.out
    assert said.out.endswith("5 webservers wanted\n")
    profile = desk.profile
    assert (profile.webservers, profile.reason, profile.mode) == (5, "opening", "static")
    assert profile.changed_by.startswith("alice@")


def test_the_one_behind_sudo_is_named(desk: Desk) -> None:
    desk.setenv("SUDO_USER", "bob")
    desk("adjust-scaling", "5", "--yes")
    assert desk.profile.changed_by.startswith("bob@")


def test_it_shows_now_and_then_and_each_share(desk: Desk) -> None:
    desk.deployment(THREE)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    said = desk("adjust-scaling", "17", "--dry-run")
    assert said.code == 0
    assert said.out.splitlines() == [
        "          now  then",
        "share 1   1    6     +5",
        "share 2   1    6     +5",
        "share 3   0    5     +5",
        "together  2    17    +15",
        "15 more: 5, 5, 5",
        "--dry-run: nothing was changed",
    ]
    assert desk.profile.webservers == 2


def test_the_profile_says_how_many_nodes(desk: Desk) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\nNO_AUTOSCALERS=2\n")
    assert desk("adjust-scaling", "7", "--dry-run", "--json").json["shares"] == [
        {"share": 1, "now": 1, "then": 4},
        {"share": 2, "now": 1, "then": 3},
    ]


@pytest.mark.parametrize(("asked", "then"), [("12", 12), ("+2", 7), ("-2", 3), ("05", 5)])
def test_absolute_and_relative(desk: Desk, asked: str, then: int) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    assert desk("adjust-scaling", asked, "--yes").code == 0
    assert desk.profile.webservers == then


def test_the_same_number_is_nothing_to_do(desk: Desk) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    before = desk.text
    said = desk("adjust-scaling", "5")
    assert (said.code, said.out) == (0, "5 wanted already: nothing to do\n")
    assert desk.text == before


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["21", "--yes"], 2, "21 is above MAX_WEBSERVERS 20, which stands by default, for there is no deployment"),
        (["+16", "--yes"], 2, "5+16 = 21 is above MAX_WEBSERVERS 20"),
        (["-5", "--yes"], 2, "5-5 = 0 is below MIN_WEBSERVERS 1"),
        (["0", "--yes"], 2, "0 webservers cannot serve a site"),
        (["+0", "--yes"], 2, "+0 asks for no change"),
        (["five", "--yes"], 2, "takes a whole number, like 12, +2 or -2, not 'five'"),
        (["1.5", "--yes"], 2, "not '1.5'"),
        (["٣", "--yes"], 2, "takes a whole number"),
        (["1000000", "--yes"], 2, "takes a whole number"),
        (["5", "6", "--yes"], 2, "unexpected extra argument"),
        (["6"], 2, "Nobody is here to answer: say --yes"),
        ([], 2, "adjust-scaling needs a number: 12, +2 or -2; nobody is here to be asked for one"),
        (["6", "--until", "00:00", "--yes"], 2, "--until 00:00"),
        (["6", "--until", "soon", "--yes"], 2, "--until 'soon' is no time: write 14:00"),
        (["6", "--until", "2020-01-01T10:00", "--yes"], 2, "--until 2020-01-01T10:00 is past"),
        (["6", "--until", "2090-01-01", "--yes"], 2, "names a day but no hour"),
        (["6", "--undo", "--yes"], 2, "--undo takes the last change back: it takes neither"),
        (["--undo", "--yes"], 2, "knows no number before its 5: nothing to take back"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    desk: Desk, argv: list[str], code: int, sentence: str
) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    before = desk.text
    said = desk("adjust-scaling", *argv)
    assert said.code == code
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    assert desk.text == before


def test_a_limit_names_the_document_it_stands_in(desk: Desk) -> None:
    desk.deployment("limits: {max: 30}\n")
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\nMAX_WEBSERVERS=10\n")
    assert "MAX_WEBSERVERS 10, which stands in the Profile" in desk("adjust-scaling", "11", "--yes").err
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    assert "MAX_WEBSERVERS 30, which stands in the Deployment" in desk("adjust-scaling", "31", "--yes").err


def test_relative_without_a_profile_has_nothing_to_add_to(desk: Desk) -> None:
    said = desk("adjust-scaling", "+2", "--yes")
    assert said.code == 2
    assert "there is no Profile yet" in said.err
    assert desk.text == ""


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("SCALING_MODE=static\nNO_WEBSERVERS=many\n", 3, "line 2: NO_WEBSERVERS must be a whole number"),
        ("SCALING_MODE=dynamic\nNO_WEBSERVERS=5\n", 3, "SCALING_MODE=dynamic is not served yet"),
    ],
)
def test_a_faulty_profile_is_not_written_over(desk: Desk, text: str, code: int, sentence: str) -> None:
    desk.put(text)
    said = desk("adjust-scaling", "7", "--yes")
    assert said.code == code
    assert sentence in said.err
    assert desk.text == text


def test_a_faulty_deployment_has_no_limits_to_go_by(desk: Desk) -> None:
    desk.deployment("limits: {max: many}\nnodez: 2\n")
    said = desk("adjust-scaling", "7", "--yes")
    assert said.code == 3
    assert len(said.err.splitlines()) == 2
    assert desk.text == ""


@pytest.mark.parametrize(
    ("store", "code", "sentence"),
    [
        ("file:///no/such/place", 4, "/no/such/place"),
        ("ftp://x/y", 2, "is no Store URL"),
        ("", 2, "no Store is named"),
        ("s3://bucket/x?endpoint=http://127.0.0.1:1", 4, "no credentials were found"),
    ],
)
def test_without_its_store_it_says_which(desk: Desk, store: str, code: int, sentence: str) -> None:
    desk.setenv("AUTOSCALER_STORE", store)
    said = desk("adjust-scaling", "7", "--yes")
    assert (said.code, sentence in said.err, len(said.err.splitlines())) == (code, True, 1)


def test_until_ends_by_itself_and_says_the_zone(desk: Desk, berlin: None) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    said = desk("adjust-scaling", "8", "--until", "2090-07-01T14:00", "--yes")
    assert "until 2090-07-01 14:00 CEST (2090-07-01T12:00:00Z), then 5" in said.out
    profile = desk.profile
    assert (profile.webservers, profile.lasting) == (8, 5)
    again = desk("adjust-scaling", "+1", "--yes")
    assert "9 webservers wanted instead of 8 until 2090-07-01 14:00 CEST" in again.out
    assert (desk.profile.webservers, desk.profile.lasting) == (9, 5)


def test_undo_says_what_it_goes_back_to(desk: Desk) -> None:
    desk("adjust-scaling", "5", "--yes")
    desk("adjust-scaling", "9", "--yes")
    said = desk("adjust-scaling", "--undo", "--yes")
    assert said.out.endswith("5 webservers wanted instead of 9\n")
    desk("adjust-scaling", "8", "--until", "+2h", "--yes")
    assert desk("adjust-scaling", "--undo", "--yes").out.endswith("5 webservers wanted instead of 8\n")
    assert not desk.profile.overridden(SystemClock().now())


def test_in_observe_and_when_paused_it_says_that_nothing_will_be_done(desk: Desk) -> None:
    desk.deployment("mode: observe\n")
    desk.store.put("SWITCH_OFF_SCALING", Switch(who="bob", why="storm").body())
    said = desk("adjust-scaling", "5", "--yes")
    assert "touch no machine until `autoscaler arm`" in said.out
    assert "Note: everything is switched off without end by bob: storm" in said.out


def test_json_is_one_document(desk: Desk) -> None:
    desk.deployment(THREE)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    said = desk("adjust-scaling", "17", "--yes", "--json", "--reason", "r")
    found = said.json
    assert (found["now"], found["then"], found["written"], found["reason"]) == (2, 17, True, "r")
    assert [s["then"] for s in found["shares"]] == [6, 6, 5]


def test_an_absolute_number_that_lost_names_who_and_what(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between what the operator saw and the write, somebody else wrote."""
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")

    from helperscripts.ask import Ask

    def confirm(ask: Ask, question: str, yes: bool) -> bool:
        found = look(desk.store)
        assert found.profile is not None
        rival = set_number(found.profile, 9, "bob@other", Instant(1.7e9), "lunch")
        desk.store.put(KEY, rival.text().encode())
        return True

    monkeypatch.setattr(Ask, "confirm", confirm)
    said = desk("adjust-scaling", "7")
    assert said.code == 5
    assert "bob@other wrote 9 webservers" in said.err
    assert "(lunch)" in said.err
    assert desk.profile.webservers == 9
    assert desk("adjust-scaling", "+1").code == 0  # a relative one adds to whatever holds
    assert desk.profile.webservers == 10


def test_relative_changes_of_many_all_count(desk: Desk) -> None:
    from autoscaler.change import change_profile
    from autoscaler.profile import step

    desk.deployment("limits: {max: 99}\n")
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")

    def add(k: int) -> None:
        change_profile(
            desk.store,
            lambda seen: step(seen.profile or new_profile(1), 1, f"e{k}", f"op{k}", Instant(1.7e9 + k), ""),
            relative=True, clock=wiring.clock(), where="+1",
        )

    threads = [threading.Thread(target=add, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    assert desk("adjust-scaling", "+1", "--yes").code == 0
    for thread in threads:
        thread.join()
    assert desk.profile.webservers == 9


def test_a_bucket_that_cannot_be_reached_is_said(desk: Desk) -> None:
    desk.setenv("AWS_ACCESS_KEY_ID", "a")
    desk.setenv("AWS_SECRET_ACCESS_KEY", "b")
    desk.setenv("AUTOSCALER_STORE", "s3://bucket/x?endpoint=http://127.0.0.1:1")
    said = desk("adjust-scaling", "7", "--yes")
    assert (said.code, "cannot be connected to" in said.err, len(said.err.splitlines())) == (4, True, 1)


# At a terminal


def test_at_a_terminal_it_asks_for_the_number_and_for_a_yes(desk: Desk) -> None:
    desk.deployment(THREE)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    code, seen = at_terminal(["adjust-scaling"], [("How many", "17\n"), ("write this?", "y\n")])
    assert code == 0, seen
    assert "2 wanted now, 1, 1, 0 by share" in seen
    assert "15 more: 5, 5, 5" in seen
    assert desk.profile.webservers == 17


def test_at_a_terminal_a_wrong_number_is_asked_for_again(desk: Desk) -> None:
    desk.deployment(THREE)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    code, seen = at_terminal(
        ["adjust-scaling"], [("How many", "foo\n"), ("not 'foo'", "5\n"), ("write this?", "y\n")]
    )
    assert (code, desk.profile.webservers) == (0, 5), seen


def test_at_a_terminal_the_third_wrong_number_ends_it(desk: Desk) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    code, seen = at_terminal(
        ["adjust-scaling"], [("How many", "foo\n"), ("not 'foo'", "bar\n"), ("not 'bar'", "baz\n")]
    )
    assert (code, seen.count("How many"), desk.profile.webservers) == (2, 3, 2), seen
    assert "not 'baz'" in seen


def test_at_a_terminal_a_no_changes_nothing(desk: Desk) -> None:
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    code, seen = at_terminal(["adjust-scaling", "-1"], [("write this?", "n\n")])
    assert code == 0, seen
    assert "nothing was changed" in seen
    assert desk.profile.webservers == 2


# --- The schedule missed something ---------------------------------------------------------------------------

MISSED = """
schedule:
  zone: UTC
  entries:
    - {name: always, at: "%s", up_to: 8}
"""


@pytest.fixture
def behind(desk: Desk) -> Desk:
    """An entry fell due an hour ago, the Profile is of yesterday."""
    at = SystemClock().now() - 3600
    desk.deployment(MISSED % f"{int(at % 86400 // 3600):02}:{int(at % 3600 // 60):02}")
    desk.put(f"SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT={to_text(Instant(at - 36000))}\n")
    return desk


def test_a_step_and_an_override_come_after_what_was_missed(behind: Desk) -> None:
    said = behind("adjust-scaling", "+2", "--dry-run")
    assert said.out.startswith("First, for it was missed: entry always of ")
    said = behind("adjust-scaling", "+2", "--yes", "--json")
    assert said.json["replayed"][0].endswith(" min late: 8 webservers wanted instead of 5 (entry always)")
    assert behind.profile.webservers == 10
    assert any(event.id.startswith("always/") for event in behind.profile.applied)
    assert "entry always of " in str(behind("history", "--kind", "wish", "--json").json)
    assert "replayed" in behind("adjust-scaling", "+1", "--yes", "--json").json
    assert behind("adjust-scaling", "+1", "--yes", "--json").json["replayed"] == []


def test_what_follows_an_override_is_what_the_schedule_will_have_made_of_it(desk: Desk) -> None:
    """The entry falls due within the override, whose end is more than twelve hours behind it."""
    at = SystemClock().now() + 3600
    desk.deployment(MISSED % f"{int(at % 86400 // 3600):02}:{int(at % 3600 // 60):02}")
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    said = desk("adjust-scaling", "12", "--until", "+20h", "--yes")
    assert "12 webservers wanted instead of 5" in said.out
    assert said.out.rstrip().endswith(", then 8"), said.out
    assert desk.profile.lasting == 5, "until it falls due"
    said = desk("adjust-scaling", "4", "--until", "2090-07-01T14:00", "--yes")
    assert said.out.rstrip().endswith(", then 5"), "nobody reckons so far"


def test_a_step_that_comes_second_replays_from_the_version_it_edits(
    behind: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's number came between read and put, stamped after the entry fell due: it was meant instead of it.

    By when the Store took the first version, the new stamp would seem a wrong clock's and the entry still owed.
    """
    import os

    from helperscripts.ask import Ask

    now = SystemClock().now()
    os.utime(behind.folder / "store" / KEY, (now - 7200, now - 7200))

    def confirm(ask: Ask, question: str, yes: bool) -> bool:
        rival = set_number(look(behind.store).profile, 3, "bob@other", now, "")
        behind.store.put(KEY, rival.text().encode())
        return True

    monkeypatch.setattr(Ask, "confirm", confirm)
    assert behind("adjust-scaling", "+2").code == 0
    assert behind.profile.webservers == 5


def test_an_override_goes_back_to_what_was_missed(behind: Desk) -> None:
    behind("adjust-scaling", "15", "--until", "+2h", "--yes")
    assert (behind.profile.webservers, behind.profile.lasting) == (15, 8)


@pytest.mark.parametrize("number", ["6", "5"])
def test_a_number_that_lasts_is_instead_of_what_was_missed(behind: Desk, number: str) -> None:
    """Also the number that holds already: it was said after the entry fell due."""
    assert behind("adjust-scaling", number, "--yes", "--json").json["replayed"] == []
    assert behind("daily-scaleup", "--entry", "always").code == 0
    assert behind.profile.webservers == int(number)
    assert behind("adjust-scaling", number, "--yes").out == f"{number} wanted already: nothing to do\n"
