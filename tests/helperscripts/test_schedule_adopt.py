"""schedule adopt: lines become entries, nothing is lost, and what cannot be moved is left alone with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.deployment import read_deployment
from cron import localzone
from cron.tab import FileTab
from tests.helperscripts.desk import Desk
from utilities.documents import read_yaml
from utilities.errors import Unreachable
from utilities.instant import to_text

TAB = """# ours
MAILTO=ops
30 7 * * 1-5\t/opt/x/bin/daily-scaleup 8 >> /var/log/x 2>&1  # morning
0 3 * * * /bin/backup
30 17 * * * autoscaler daily-scaledown 3
*/5 * * * * daily-scaleup 9
0 12,13 * * * daily-scaleup +2
"""
LEFT = """# ours
MAILTO=ops
0 3 * * * /bin/backup
*/5 * * * * daily-scaleup 9
"""
SCHEDULE = """# the week
schedule:
    zone: UTC
    entries:
      # the first
      - name: morning   # mine
        at: 06:00

        up_to: 4
      - {name: up-0730, at: 05:00, up_to: 2}   # a name that is taken

    # after all
nodes: 2  # two
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path, monkeypatch)
    made.installed(monkeypatch)
    monkeypatch.setattr(localzone, "LOCALTIME", tmp_path / "no-localtime")  # UTC
    made.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    made.deployment("# nothing yet\nnodes: 2\n")
    (tmp_path / "tab").write_text(TAB)
    return made


def text_in(desk: Desk) -> str:
    found = desk.store.get("deployment.yaml")
    assert found is not None
    return found.body.decode()


def adopt(desk: Desk, *argv: str, node: str = "1", code: int = 0) -> str:
    said = desk("schedule", "adopt", "--file", str(desk.folder / "tab"), "--node", node, *argv)
    assert said.code == code, said
    return said.out + said.err


def sentences(desk: Desk) -> list[str]:
    return [entry.sentence() for entry in read_deployment(read_yaml(text_in(desk), "x")).schedule]


MOVED = [
    "up-0730 (07:30 mon-fri UTC, up to 8)",
    "down-1730 (17:30 daily UTC, down to 3)",
    "more-1200 (12:00 daily UTC, 2 more)",
    "more-1300 (13:00 daily UTC, 2 more)",
]


def test_each_line_is_shown_with_its_entry_and_nothing_is_changed(desk: Desk) -> None:
    before = text_in(desk), desk.text
    said = adopt(desk, "--dry-run")
    assert "line 3: 30 7 * * 1-5\t/opt/x/bin/daily-scaleup 8" in said
    assert '  becomes - {name: up-0730, at: "07:30", days: mon-fri, zone: UTC, up_to: 8}\n' in said
    assert "line 6: */5 * * * * daily-scaleup 9\n  stays: it falls due 288 times a day" in said
    assert "run this on every node before they fire next" in said
    assert "/bin/backup" not in said
    assert said.endswith("--dry-run: nothing was changed\n")
    assert (text_in(desk), desk.text) == before
    assert (desk.folder / "tab").read_text() == TAB
    assert "Nobody is here to answer: say --yes" in adopt(desk, code=2)
    assert (desk.folder / "tab").read_text() == TAB


def test_the_lines_become_entries_and_this_nodes_lines_come_in(desk: Desk) -> None:
    before = text_in(desk)
    said = adopt(desk, "--yes")
    assert text_in(desk).startswith(before)
    assert sentences(desk) == MOVED
    tab = (desk.folder / "tab").read_text()
    assert tab.startswith(LEFT + "# autoscaler: begin node 1\n")
    for when, verb in (("30 7 * * 1-5", "up --entry up-0730"), ("30 17 * * *", "down --entry down-1730")):
        assert any(line.startswith(when) and line.endswith(f"daily-scale{verb}") for line in tab.splitlines())
    for line in TAB.splitlines()[2:7:2]:
        assert f"{line}\n" in said  # what was taken out is told
    assert said.endswith(f"4 entries written into deployment.yaml; 3 lines taken out of {desk.folder}/tab\n")
    assert "nothing to move: 1 stays" in adopt(desk, "--yes")
    assert desk("crontab", "install", "--node", "1", "--file", str(desk.folder / "tab")).out.startswith("already so")


def test_the_next_node_only_takes_its_lines_out(desk: Desk) -> None:
    adopt(desk, "--yes")
    after = text_in(desk)
    (desk.folder / "tab").write_text(TAB)
    said = adopt(desk, "--yes", node="2")
    assert "is entry up-0730 (07:30 mon-fri UTC, up to 8) already" in said
    assert text_in(desk) == after
    assert (desk.folder / "tab").read_text().startswith(LEFT + "# autoscaler: begin node 2\n")


def test_killed_between_the_two_writes_the_next_call_ends_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: FileTab, text: str | None) -> None:
        raise Unreachable("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(FileTab, "write", full)
        said = adopt(desk, "--yes", code=6)
    assert "4 entries written into deployment.yaml, and the lines still stand in the crontab: disk full" in said
    assert sentences(desk) == MOVED
    assert (desk.folder / "tab").read_text() == TAB
    adopt(desk, "--yes")
    assert sentences(desk) == MOVED
    assert (desk.folder / "tab").read_text().startswith(LEFT)


def test_entries_come_after_the_last_and_every_other_byte_stays(desk: Desk) -> None:
    desk.deployment(SCHEDULE)
    before = text_in(desk)
    adopt(desk, "--yes")
    after = text_in(desk)
    assert sentences(desk)[2:] == [MOVED[0].replace("up-0730 ", "up-0730-2 "), *MOVED[1:]]
    new = [line for line in after.splitlines(keepends=True) if line not in before.splitlines(keepends=True)]
    assert [line[:9] for line in new] == ["      - {"] * 4
    assert "".join(line for line in after.splitlines(keepends=True) if line not in new) == before
    assert after.index(new[-1]) < after.index("\n    # after all")


@pytest.mark.parametrize(
    "schedule",
    [
        "schedule: {zone: UTC, entries: [{name: a, at: 07:00, up_to: 2}]}\n",
        "schedule:\n  zone: UTC\n  entries: []\n",
        "schedule:\n",
        "nodes: 2\n...\n",  # the document ends before its text does
        "schedule:\n  zone: UTC\n  entries:\n  - {name: a,\n  at: 07:00, up_to: 2}\n",
    ],
)
def test_what_cannot_be_put_in_safely_is_given_to_paste(desk: Desk, schedule: str) -> None:
    desk.deployment(schedule)
    before = text_in(desk)
    for argv in (["--dry-run"], ["--yes"]):
        said = adopt(desk, *argv, code=3)
        assert "write them yourself: `- {name: up-0730, at: \"07:30\", days: mon-fri, zone: UTC, up_to: 8}`" in said
    assert text_in(desk) == before
    assert (desk.folder / "tab").read_text() == TAB


@pytest.mark.parametrize("ends", ["", "\r\n"])
def test_a_deployment_without_a_last_line_end_or_with_two_bytes_of_it(desk: Desk, ends: str) -> None:
    text = f"pool: web{ends or chr(10)}provider: {{name: memory}}{ends}"
    desk.store.put("deployment.yaml", text.encode())
    adopt(desk, "--yes")
    assert text_in(desk).startswith(text)
    assert sentences(desk) == MOVED
    assert ends == "" or text_in(desk).count("\n") == text_in(desk).count("\r\n")


def test_what_the_lines_did_is_not_done_again_as_if_it_were_missed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A +2 that fell into an override left no stamp: only an id of the line."""
    from helperscripts import wiring
    from utilities.instant import Instant

    now = wiring.clock().now()
    desk.put(f"SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT={to_text(Instant(now - 40000))}\n")
    at = Instant(now - 3600)
    hour, minute = int(at % 86400 // 3600), int(at % 3600 // 60)
    (desk.folder / "tab").write_text(f"{minute} {hour} * * * daily-scaleup +2\n")
    adopt(desk, "--yes")
    assert [event.id.partition("/")[0] for event in desk.profile.applied] == [f"more-{hour:02}{minute:02}"]
    assert desk.profile.webservers == 5
    desk("adjust-scaling", "+1", "--yes")
    assert desk.profile.webservers == 6


def test_a_line_for_another_store_stays(desk: Desk) -> None:
    (desk.folder / "tab").write_text(
        f"AUTOSCALER_STORE=file://{desk.folder}/store\n30 7 * * * daily-scaleup 8\n"
        "30 8 * * * AUTOSCALER_STORE=file:///another daily-scaleup 8\n"
        "30 9 * * * daily-scaleup 8 --store file:///another\n"
        "30 10 * * * daily-scaleup 8 --settings /no/such/file\n"
    )
    said = desk("schedule", "adopt", "--file", str(desk.folder / "tab"), "--node", "1", "--yes", "--json").json
    assert [one["number"] for one in said["moved"]] == [2]
    assert [one["reason"].partition(",")[0] for one in said["left"]][:2] == ["it is for another Store"] * 2
    assert "whose Store it means cannot be told" in said["left"][2]["reason"]


def test_its_zone_is_crons_or_the_one_above_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = desk.folder / "tab"
    tab.write_text("0 7 * * * daily-scaleup 8\nCRON_TZ=Asia/Tokyo\n0 8 * * * daily-scaleup 9\n")
    assert "Debian's cron does not go by the CRON_TZ=Asia/Tokyo" in adopt(desk, "--zone", "Europe/Berlin", "--yes")
    assert sentences(desk) == [
        "up-0700 (07:00 daily Europe/Berlin, up to 8)",
        "up-0800 (08:00 daily Asia/Tokyo, up to 9)",
    ]
    assert "'Berlin' is no time zone" in adopt(desk, "--zone", "Berlin", code=2)


def test_utc_has_one_name(desk: Desk) -> None:
    (desk.folder / "tab").write_text("0 7 * * * daily-scaleup 8\n")
    adopt(desk, "--zone", "Etc/UTC", "--yes")
    assert sentences(desk) == ["up-0700 (07:00 daily UTC, up to 8)"]


def test_bytes_that_are_no_text_stay(desk: Desk) -> None:
    tab = desk.folder / "tab"
    tab.write_bytes(b"# \xff\r\n0 7 * * * daily-scaleup 8\n\x0c# \xc2\x85 page\n")
    adopt(desk, "--yes")
    assert tab.read_bytes().startswith(b"# \xff\r\n\x0c# \xc2\x85 page\n# autoscaler: begin node 1\n")


def test_without_a_node_only_the_lines_go(desk: Desk) -> None:
    said = desk("schedule", "adopt", "--file", str(desk.folder / "tab"), "--yes")
    assert said.code == 0
    assert "nothing says which node this is" in said.err
    assert (desk.folder / "tab").read_text() == LEFT


def test_a_crontab_that_is_not_there_is_not_an_empty_one(desk: Desk) -> None:
    said = desk("schedule", "adopt", "--file", str(desk.folder / "tap"), "--yes")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "tap: there is no such crontab" in said.err
