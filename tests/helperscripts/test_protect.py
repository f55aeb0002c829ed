"""protect: never a victim when fewer are wanted, until it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helperscripts.desk import at_rig, call
from tests.worlds.memory import Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(wanted=3)
    at_rig(made, monkeypatch, tmp_path)
    made.settle()
    assert len(made.up) == 3
    return made


def test_the_protected_one_stays_though_it_would_go_first(rig: Rig) -> None:
    newest = rig.up[-1]
    said = call("protect", newest)
    assert (said.code, said.out) == (0, f"{newest} is protected until you say --off\n")
    rig.want(1)
    rig.settle()
    assert rig.up == [newest]


def test_until_ends_and_off_ends_at_once(rig: Rig) -> None:
    name = rig.up[-1]
    assert "is protected until 2027-01-15" in call("protect", name, "--until", "+2h").out
    assert rig.share().records[name].is_protected(rig.clock.now())
    rig.clock.sleep(7201)
    assert not rig.share().records[name].is_protected(rig.clock.now())
    call("protect", name)
    assert "already: nothing to do" in call("protect", name).out
    assert call("protect", name, "--off", "--json").json["protected"] is None
    assert rig.share().records[name].protected is None
    assert "already: nothing to do" in call("protect", name, "--off").out


def test_by_address(rig: Rig) -> None:
    record = rig.share().records[rig.up[0]]
    assert record.address
    assert call("protect", record.address, "--json").json["name"] == record.name


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["ws-web-1-0009"], "no webserver is called 'ws-web-1-0009'; near: ws-web-1-000"),
        (["ws-web-1-0001", "--off", "--until", "+2h"], "--off ends the protection now: it takes no --until"),
        (["ws-web-1-0001", "--until", "2020-01-01T00:00"], "is past"),
        ([], "missing argument"),
    ],
)
def test_what_cannot_be_changes_nothing(rig: Rig, argv: list[str], sentence: str) -> None:
    before = rig.share()
    said = call("protect", *argv)
    assert said.code == 2
    assert sentence in said.err
    assert rig.share() == before


def test_it_touches_neither_lease_nor_other_records(rig: Rig) -> None:
    before = rig.share()
    call("protect", rig.up[0])
    after = rig.share()
    assert (after.holder, after.epoch, after.machine) == (before.holder, before.epoch, before.machine)
    assert {n: r for n, r in after.records.items() if n != rig.up[0]} == {
        n: r for n, r in before.records.items() if n != rig.up[0]
    }
