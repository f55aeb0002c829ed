"""Civil time: a gap moves to its end, a fold takes the first; each zone's data are those we ship, read twice."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest

from tests.worlds.wall import EPOCH, FIRST, LAST, civil, families, local_text, names, wall_of
from utilities.civil import instant_of, kind_of, local, one_name, zone_of
from utilities.instant import Instant

# zone, local day and time, UTC instant, kind: from the changes as their governments announced them.
ANNOUNCED = [
    ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29 00:59", ""),
    ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00", "skipped"),
    ("Europe/Berlin", "2026-03-29 02:59", "2026-03-29 01:00", "skipped"),
    ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00", ""),
    ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25 00:00", "twice"),
    ("Europe/Berlin", "2026-10-25 02:59", "2026-10-25 00:59", "twice"),
    ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00", ""),
    ("Europe/Dublin", "2026-03-29 01:30", "2026-03-29 01:00", "skipped"),  # its winter is the exception, on paper
    ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:00", "skipped"),
    ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30", "twice"),
    ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30", "skipped"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-04 02:30", "2026-10-03 15:30", ""),
    ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45", "twice"),
    ("Antarctica/Troll", "2026-03-29 01:30", "2026-03-29 01:00", "skipped"),  # two hours
    ("Antarctica/Troll", "2026-03-29 02:59", "2026-03-29 01:00", "skipped"),
    ("Antarctica/Troll", "2026-10-25 01:00", "2026-10-24 23:00", "twice"),
    ("Africa/Casablanca", "2024-03-10 02:30", "2024-03-10 01:30", "twice"),  # Ramadan
    ("Africa/Casablanca", "2024-04-14 02:30", "2024-04-14 02:00", "skipped"),
    ("America/Nuuk", "2023-03-25 22:30", "2023-03-26 01:00", "skipped"),  # it became another zone by not going back
    ("America/Nuuk", "2023-10-28 23:30", "2023-10-29 01:30", ""),  # zoneinfo itself has it an hour too early
    ("America/Nuuk", "2024-03-30 23:30", "2024-03-31 01:00", "skipped"),  # to midnight: the next day's first instant
    ("America/Scoresbysund", "2024-03-31 00:30", "2024-03-31 01:30", ""),  # two changes that made none
    ("America/Scoresbysund", "2025-03-29 23:30", "2025-03-30 01:00", "skipped"),
    ("Africa/Cairo", "2024-04-26 00:00", "2024-04-25 22:00", "skipped"),  # midnight itself is skipped
    ("Africa/Cairo", "2024-10-31 23:30", "2024-10-31 20:30", "twice"),
    ("Asia/Beirut", "2024-03-31 00:30", "2024-03-30 22:00", "skipped"),
    ("America/Santiago", "2024-09-08 00:30", "2024-09-08 04:00", "skipped"),
    ("America/Santiago", "2024-04-06 23:30", "2024-04-07 02:30", "twice"),
    ("America/Asuncion", "2024-10-06 00:00", "2024-10-06 04:00", "skipped"),  # its last
    ("America/Asuncion", "2025-03-23 23:30", "2025-03-24 02:30", ""),
    ("Asia/Gaza", "2024-04-20 02:30", "2024-04-20 00:00", "skipped"),
    ("Pacific/Apia", "2020-09-27 03:30", "2020-09-26 14:00", "skipped"),
    ("Pacific/Apia", "2021-04-04 03:30", "2021-04-03 13:30", "twice"),
    ("Pacific/Apia", "2022-09-25 03:30", "2022-09-24 14:30", ""),
    ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", "skipped"),  # a day that never was
    ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30 10:00", ""),
    ("Asia/Kathmandu", "2026-06-01 00:00", "2026-05-31 18:15", ""),
    ("Pacific/Kiritimati", "2026-06-01 00:00", "2026-05-31 10:00", ""),
    ("Etc/GMT+12", "2026-06-01 00:00", "2026-06-01 12:00", ""),
    ("UTC", "2026-03-29 02:30", "2026-03-29 02:30", ""),
]


@pytest.mark.parametrize(("zone", "wall", "utc", "kind"), ANNOUNCED, ids=lambda v: v if "/" in str(v) else "")
def test_as_it_was_announced(zone: str, wall: str, utc: str, kind: str) -> None:
    moment = datetime.fromisoformat(wall)
    at = instant_of(moment.date(), moment.time(), zone_of(zone))
    assert datetime.fromtimestamp(at, UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert kind_of(moment.date(), moment.time(), zone_of(zone)) == kind
    if kind != "skipped":
        assert local(at, zone_of(zone)).replace(tzinfo=None) == moment, "it is what the wall shows then"


def test_around_each_change_the_instant_is_the_first_minute_by_which_the_wall_has_shown_it() -> None:
    checked = {"skipped": 0, "twice": 0, "": 0}
    chance = random.Random(1)
    for family in families().values():
        wall, zone = wall_of(family[0]), zone_of(chance.choice(family))
        changed = [at for at, _, _ in wall.within()]
        assert all(later - at > 2 * 86400 for at, later in pairwise(changed)), "instant_of counts on it"
        for at, before, after in wall.within():
            low, high = sorted((at + before, at + after))
            times = {low - 60, low, low + 60, (low + high) // 120 * 60, high - 60, high}
            reached = wall.events(times, at - 4 * 3600, at + 4 * 3600)
            for seconds in times:
                day, rest = divmod(seconds, 86400)
                when = EPOCH + timedelta(day), time(rest // 3600, rest % 3600 // 60)
                found = instant_of(*when, zone)
                assert reached[seconds] == [found], (zone.key, local_text(seconds))
                inside = low <= seconds < high
                kind = kind_of(*when, zone)
                assert kind == (("skipped" if after > before else "twice") if inside else ""), (zone.key, when)
                checked[kind] += 1
    print(checked)
    assert min(checked.values()) > 3000, "too few to show anything"


def test_every_zone_of_ours_shows_what_its_raw_data_say() -> None:
    chance = random.Random(2)
    for name in names():
        wall, zone = wall_of(name), zone_of(name)
        changes = [at + more for at, _, _ in wall.within() for more in (-1, 0)]
        for at in (*changes, *(chance.randrange(FIRST, LAST) for _ in range(20))):
            shown = local(Instant(float(at)), zone).replace(tzinfo=None)
            assert civil(shown.date(), shown.hour, shown.minute, shown.second) == wall.shows(at), (name, at)
    assert len(names()) > 550


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Europe/Berlin ", "did you mean Europe/Berlin"),
        ("berlin", "is no time zone that IANA knows"),
        ("CEST", "is no time zone that IANA knows"),
        ("+02:00", "is no time zone that IANA knows"),
        ("", "as Europe/Berlin or UTC are"),
        ("Europe", "is no time zone"),
        ("localtime", "is no time zone"),  # it is another one on another node
        ("posixrules", "is no time zone"),
        ("Factory", "is no time zone"),
        ("right/Europe/Berlin", "did you mean Europe/Berlin"),  # it counts leap seconds
        ("posix/Europe/Berlin", "did you mean Europe/Berlin"),
        ("/usr/share/zoneinfo/Europe/Berlin", "is no time zone"),
        ("../zoneinfo/UTC", "is no time zone"),
        ("zone.tab", "is no time zone"),
        ("__init__.py", "is no time zone"),
        ("Europe/Berlin\n", "did you mean Europe/Berlin"),
        ("Europe/Berlin\0", "did you mean Europe/Berlin"),
        ("Ｅurope/Berlin", "did you mean Europe/Berlin"),
        ("x" * 5000, "is no time zone"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match="is no time zone that IANA knows") as found:
        zone_of(name)
    assert said in str(found.value)


def test_every_name_that_iana_has_is_known() -> None:
    for name in names():
        assert zone_of(name).key == name


def test_the_machines_own_zones_are_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Two nodes with other tzdata packages would take one event for two."""
    import zoneinfo

    from utilities import civil as product

    wrong = tmp_path / "Europe"
    wrong.mkdir()
    utc = next(raw for raw, family in families().items() if "UTC" in family)
    (wrong / "Berlin").write_bytes(utc)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    product._shipped.cache_clear()
    try:
        assert zoneinfo.ZoneInfo.no_cache("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(0)
        assert zone_of("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)
        assert instant_of(date(2026, 7, 1), time(7, 30), zone_of("Europe/Berlin")) == 1782883800.0
    finally:
        zoneinfo.reset_tzpath(to=before)
        product._shipped.cache_clear()


def test_utc_has_one_name() -> None:
    """Each that IANA links to it, by its rules; and nothing that merely has the same hours for a while."""
    assert {one_name(name) for name in ("UTC", "Etc/UTC", "Zulu", "GMT", "Etc/GMT")} == {"UTC"}
    assert one_name("Europe/Lisbon") == "Europe/Lisbon"
