"""The budget is the node's, not the process's; deletes have the last word; the vendor's count beats ours."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from providerscripts.rest.budget import Budget, Rate, Spent
from providerscripts.site import Site
from security.secrets import Secret
from tests.worlds.memory import ToldClock
from utilities.clock import SystemClock
from utilities.instant import Instant

RATE = Rate(100, 3600.0, "RateLimit-Limit", "RateLimit-Remaining")
ACCOUNT = Secret("tok-4711-very-secret")


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


def budget(clock: ToldClock, state: Path | None, rate: Rate = RATE) -> Budget:
    return Budget("acme", rate, Site(clock, state), ACCOUNT)


def spend(made: Budget, method: str = "POST") -> int:
    for count in range(1000):
        try:
            made.take(method)
        except Spent:
            return count
    raise AssertionError("there is no end to it")


@pytest.mark.parametrize("kept", [True, False])
def test_the_last_tenth_is_for_deletes(clock: ToldClock, tmp_path: Path, kept: bool) -> None:
    made = budget(clock, tmp_path if kept else None)
    assert spend(made) == 90
    assert spend(made, "GET") == 0  # who asks all the time would starve who has something to write
    assert spend(made, "DELETE") == 10


def test_a_limit_of_one_leaves_one(clock: ToldClock, tmp_path: Path) -> None:
    made = budget(clock, tmp_path)
    made.heard({"RateLimit-Limit": "1", "RateLimit-Remaining": "1"})
    for method in ("GET", "POST", "DELETE"):
        assert spend(made, method) == 1
        clock.time = Instant(clock.time + 3600.0)


def test_it_refills_evenly(clock: ToldClock, tmp_path: Path) -> None:
    made = budget(clock, tmp_path)
    spend(made)
    with pytest.raises(Spent) as caught:
        made.take("POST")
    clock.time = caught.value.until
    made.take("POST")
    with pytest.raises(Spent, match=r"acme allows no more requests before .* 10 of 100 are left; the rest is kept"):
        made.take("POST")


def test_all_processes_of_a_node_share_it(clock: ToldClock, tmp_path: Path) -> None:
    assert spend(budget(clock, tmp_path)) == 90
    with pytest.raises(Spent):
        budget(clock, tmp_path).take("POST")
    budget(clock, tmp_path).take("DELETE")


def test_many_at_once_take_no_more_than_there_is(tmp_path: Path) -> None:
    body = (
        "import sys; from pathlib import Path\n"
        "from tests.providerscripts.rest.test_budget import ACCOUNT, Site, Rate, Budget, spend\n"
        "from utilities.clock import SystemClock\n"
        "made = Budget('acme', Rate(100, 1e9), Site(SystemClock(), Path(sys.argv[1])), ACCOUNT)\n"
        "print(spend(made))\n"
    )
    argv = [sys.executable, "-c", body, str(tmp_path)]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(each.communicate()[0]) for each in running) == 90


def test_one_waits_while_another_reckons(tmp_path: Path) -> None:
    made = Budget("acme", RATE, Site(SystemClock(), tmp_path), ACCOUNT)
    made.take("POST")
    [path] = (tmp_path / "rates").iterdir()
    taker = threading.Thread(target=made.take, daemon=True)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as another process does
        taker.start()
        taker.join(2.0)
        assert taker.is_alive()
    taker.join(60.0)
    assert not taker.is_alive()


def test_what_the_vendor_counts_beats_our_reckoning(clock: ToldClock, tmp_path: Path) -> None:
    made = budget(clock, tmp_path)
    made.heard({"RateLimit-Limit": "200", "RateLimit-Remaining": "21"})  # other nodes ask, too
    assert spend(made) == 1
    for nothing in ("rather few", "nan", "inf", ""):
        made.heard({"RateLimit-Remaining": nothing, "RateLimit-Limit": nothing})
    made.heard({})
    assert spend(made) == 0


def test_a_429_closes_it_for_all(clock: ToldClock, tmp_path: Path) -> None:
    budget(clock, tmp_path).close(60.0)
    with pytest.raises(Spent):
        budget(clock, tmp_path).take("DELETE")
    clock.time += 60.0
    budget(clock, tmp_path).take("POST")


def test_a_429_closes_one_method_alone_where_they_are_counted_apart(clock: ToldClock, tmp_path: Path) -> None:
    Budget("acme", RATE, Site(clock, tmp_path), ACCOUNT, apart=True).close(60.0, "POST")
    other = budget(clock, tmp_path)
    with pytest.raises(Spent):
        other.take("POST")
    other.take("GET")
    other.take("DELETE")
    budget(clock, tmp_path).close(60.0, "POST")  # not apart
    with pytest.raises(Spent):
        other.take("DELETE")


def test_a_short_wait_is_waited(clock: ToldClock, tmp_path: Path) -> None:
    made = budget(clock, tmp_path, Rate(10, 1.0))
    before = clock.time
    for _ in range(29):
        made.take("POST")
    assert 1.5 < clock.time - before < 2.5


@pytest.mark.parametrize("found", [
    "", "{", "[]", '{"limit": 0, "left": 0, "at": 0, "closed": {}}', '{"limit": "x"}',
    '{"limit": 100, "left": 5, "at": 0, "closed": {"": NaN}}', '{"limit": 100, "left": 5, "at": 1e18, "closed": 0}',
    '{"limit": 100, "left": -1e999, "at": 0, "closed": {}}',
])  # fmt: skip
def test_what_cannot_be_read_is_reckoned_anew(clock: ToldClock, tmp_path: Path, found: str) -> None:
    made = budget(clock, tmp_path)
    made.take("POST")
    [path] = (tmp_path / "rates").iterdir()
    path.write_text(found)
    assert spend(made) == 90


def test_a_clock_set_back_does_not_close_it_for_ever(clock: ToldClock, tmp_path: Path) -> None:
    made = budget(clock, tmp_path)
    made.close(600.0)
    clock.time -= 10 * 86400.0
    with pytest.raises(Spent):
        made.take("POST")
    clock.time += 3601.0
    made.take("POST")


def test_a_folder_that_cannot_be_written_stops_nobody(clock: ToldClock, tmp_path: Path) -> None:
    (tmp_path / "rates").write_text("a file is in the way")
    assert spend(budget(clock, tmp_path)) == 90


def test_the_file_tells_no_secret(clock: ToldClock, tmp_path: Path) -> None:
    budget(clock, tmp_path).take("POST")
    [path] = (tmp_path / "rates").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert set(json.loads(path.read_text())) == {"limit", "left", "at", "closed"}
    assert ACCOUNT.reveal() not in path.name
