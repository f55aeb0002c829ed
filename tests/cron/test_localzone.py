"""The zone of this machine's clock, as cron sees it."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

import pytest

from cron.localzone import local_zone
from tests.helperscripts.desk import in_zone
from utilities.civil import local
from utilities.errors import Unreachable
from utilities.instant import from_text

SUMMER = from_text("2026-07-01T12:00:00Z")


def rules_of(zone: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / zone
        if path.exists():
            return path.read_bytes()
    import importlib.resources

    return importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


def test_a_link_names_its_zone(tmp_path: Path) -> None:
    rules = tmp_path / "usr/share/zoneinfo/Europe/Berlin"
    rules.parent.mkdir(parents=True)
    rules.write_bytes(rules_of("Europe/Berlin"))
    link = tmp_path / "localtime"
    link.symlink_to(rules)
    assert local_zone(link).key == "Europe/Berlin"


def test_a_file_without_a_name_has_its_rules(tmp_path: Path) -> None:
    copy = tmp_path / "localtime"
    copy.write_bytes(rules_of("Europe/Berlin"))
    zone = local_zone(copy)
    assert zone.key is None
    assert f"{local(SUMMER, zone):%H:%M}" == "14:00"


def test_a_place_that_only_this_machine_knows_has_its_rules(tmp_path: Path) -> None:
    rules = tmp_path / "zoneinfo/Our/Ship"
    rules.parent.mkdir(parents=True)
    rules.write_bytes(rules_of("Asia/Kathmandu"))
    link = tmp_path / "localtime"
    link.symlink_to(rules)
    assert f"{local(SUMMER, local_zone(link)):%H:%M}" == "17:45"


@pytest.mark.parametrize("dangling", [True, False])
def test_without_the_file_it_is_utc_as_for_the_c_library(tmp_path: Path, dangling: bool) -> None:
    link = tmp_path / "localtime"
    if dangling:
        link.symlink_to(tmp_path / "zoneinfo/Europe/Berlin")
    assert local_zone(link).key == "UTC"


def test_what_is_no_zone_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "localtime"
    damaged.write_bytes(b"TZif but no more")
    for path in (damaged, tmp_path):
        with pytest.raises(Unreachable, match=r"does not tell this machine's time zone .*: set it \(timedatectl"):
            local_zone(path)


def test_the_tz_of_whoever_asks_is_not_crons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_zone("Asia/Tokyo", monkeypatch):
        assert local_zone(tmp_path / "none").key == "UTC"
