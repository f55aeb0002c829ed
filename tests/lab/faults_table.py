"""Faults, what is promised for each, and what was measured: the checks of many_nodes.py, and the page they write.

`python -m tests.lab.faults_table` (`make faults`) plays all faults in true time, with the periods as they are by
default, and writes docs/faults.md; with a number (`... tests.lab.faults_table 10`) so many times as fast, and writes
nothing. The suite plays the same, hurried: test_many_nodes.py.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.lab.inside import run_inside

__all__ = ["PAGE", "PROMISES", "Broken", "Promise", "kept", "page", "rows_of", "tale"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
LONGEST = 4500.0  # seconds for a lot of it in true time
LOTS = (("cycle_killed", "nodes_lost", "nodes_cut", "two_off"), ("all_500", "store_down", "reboots"))

HEAD = """\
# Faults

What the fleet promises when something breaks, and what was measured when it was broken on purpose. `make faults`
wrote this page; no figure here was typed. The same faults are played in each run of the suite, fifteen times as fast.

It plays on real parts ([the lab](../tests/lab/README.md)): three nodes, each a host of its own with its own disk,
under Debian's cron; SeaweedFS, a real S3 server, on another; twelve webservers (nginx, sshd) behind HAProxy; visitors
who come all the time and send each GET once. The cloud that rents the webservers out counts every order it gets.
Two such fleets stand side by side, one for the upper half of the table, one for the lower.
"""

TAIL = """\
A tick comes every 60 s, a lease is 180 s long and believed to have run out 5 s later, strikes are at least 60 s
apart: the defaults, but for `rules.uptime`, which is 2 minutes, and the ladder's patience: 4, 5 and 8 s for
`reachable`, `serving` and `again`. A machine of this cloud boots 20 s after its order.
Seconds are real ones, from the fault to what is told, found by a look that comes several times a second.
"""


class Broken(AssertionError):
    """A promise that was not kept; says which and how."""


def hold(true: object, otherwise: str) -> None:
    """Broken, in these words, unless it is so."""
    if not true:
        raise Broken(otherwise)


@dataclass(frozen=True)
class Promise:
    """`check` gives what was measured, from the facts of that scenario and of the whole run, or raises Broken."""

    name: str  # of the scenario; the last one is about all of them
    fault: str
    promise: str
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], str]
    within: Mapping[str, float] | None = None  # fact -> most seconds in true time


Facts = Mapping[str, Any]


def visitors(facts: Facts) -> str:
    """All answered; in words."""
    hold(facts["failed"] == 0, f"{facts['failed']} of {facts['gets']} GETs failed")
    hold(facts["gets"], "nobody came")
    return f"{facts['gets']} GETs, none failed"


def nothing_well_destroyed(facts: Facts) -> None:
    """Removed was only what stood there too many."""
    hold(not facts["deleted_well"], f"{facts['deleted_well']} were well and are destroyed")


def cycle_killed(facts: Facts, run: Facts) -> str:
    nothing_well_destroyed(facts)
    return f"all nine serve after {facts['whole']} s; {visitors(facts)}"


def power_cut(facts: Facts, run: Facts) -> str:
    only_surplus(facts)
    taken_and_back(facts)
    return (
        f"taken over after {facts['taken']} s, all twelve serve after {facts['whole']} s; with node 1 again "
        f"{facts['home']} s after its power came back; {visitors(facts)}"
    )


def frozen(facts: Facts, run: Facts) -> str:
    only_surplus(facts)
    taken_and_back(facts)
    hold(facts["away"] > run["lease"], f"it was frozen for {facts['away']} s only")
    hold(not facts["unnamed"], f"{facts['unnamed']} were ordered after the thaw, and no record had named them")
    return (
        f"taken over after {facts['taken']} s; thawed after {facts['away']} s: {len(facts['late'])} orders that had "
        f"passed their last check left then, and no other; with node 2 again after {facts['home']} s"
    )


def taken_and_back(facts: Facts) -> None:
    """Each taking has an epoch of its own."""
    before, after = facts["epochs"]
    hold(2 <= before < after, f"epoch {before} in other hands, {after} back at home")


def no_store(facts: Facts, run: Facts) -> str:
    hold("exit 4" in facts["said"], f"its log does not say so: {facts['said']}")
    return (
        f"taken over after {facts['taken']} s; with node 3 again {facts['home']} s after the cut was mended; "
        f"{visitors(facts)}"
    )


def blind(facts: Facts, run: Facts) -> str:
    hold(not facts["withdrawn"], f"{facts['withdrawn']} were withdrawn")
    only_surplus(facts)
    return (
        f"the brake was on after {facts['brake']} s and off {facts['off']} s after the cut was mended; none was "
        f"withdrawn, none of the twelve destroyed"
    )


def only_surplus(facts: Facts) -> None:
    """What was removed had been built in place of what only seemed to fail."""
    surplus = facts["rented"] - facts["wanted"]
    hold(len(facts["deleted_well"]) <= surplus, f"{facts['deleted_well']} are destroyed, {surplus} were too many")


def two_off(facts: Facts, run: Facts) -> str:
    nothing_well_destroyed(facts)
    hold(sorted(facts["deleted"]) == sorted(facts["dead"]), f"destroyed were {facts['deleted']}")
    hold(facts["lives"], f"{facts['well']} was destroyed by the word of one node")
    hold(facts["opinions"], "no other node was asked")
    return (
        f"kept from visitors after {facts['withdrawn']} s, replaced after {facts['replaced']} s, destroyed after "
        f"{facts['destroyed']} s; the third lives, another node spoke for it; {visitors(facts)}"
    )


def all_500(facts: Facts, run: Facts) -> str:
    hold(not facts["destroyed"], f"{facts['destroyed']} were destroyed")
    hold(not facts["withdrawn"], f"{facts['withdrawn']} were withdrawn")
    only_surplus(facts)
    return (
        f"the brakes of all shares were on after {facts['brakes']} s; none withdrawn, none destroyed, "
        f"{facts['built']} built within max; all in order {facts['whole']} s after the webservers were well"
    )


def store_down(facts: Facts, run: Facts) -> str:
    nothing_well_destroyed(facts)
    hold(facts["same"], "the machines are not those from before")
    hold(facts["deeds"] == 0, f"the cloud was asked for {facts['deeds']} deeds meanwhile")
    return (
        f"down for {facts['down']} s: nothing built, nothing destroyed; all nodes were heard {facts['heard']} s "
        f"after it came back, every share was with its own node after {facts['home']} s, and one webserver more, "
        f"wanted then, served {facts['whole']} s later; {visitors(facts)}"
    )


def reboots(facts: Facts, run: Facts) -> str:
    told = sorted((at, back, node) for node, at, back in run["reboots"])
    hold(all(back is not None for _, back, _ in told), f"one never came back: {told}")
    together = [(a, b) for a, b in pairwise(told) if b[0] < a[1] and a[2] != b[2]]
    hold(not together, f"two nodes were away at once: {together}")
    hold({node for _, _, node in told} == {1, 2, 3}, f"not every node rebooted: {told}")
    hold(all("poweroff" not in e and "died" not in e for e in run["endings"]), f"{run['endings']}")
    longest = max(back - at for at, back, _ in told)
    return f"{len(told)} reboots, never two at once; each was heard again within {longest:.1f} s"


def all_along(facts: Facts, run: Facts) -> str:
    hold(not run["posted_twice"], f"ordered twice: {run['posted_twice']}")
    hold(not run["made_twice"], f"built twice: {run['made_twice']}")
    hold(run["most_rented"] <= run["max"], f"{run['most_rented']} were rented, max is {run['max']}")
    hold(run["most_billable"] <= run["max"], f"{run['most_billable']} were billable, max is {run['max']}")
    hold(run["up"] == run["records"] == run["living"], f"{run['up']}, {run['records']}, {run['living']}")
    hold(len(run["up"]) == run["wanted"], f"{len(run['up'])} serve, {run['wanted']} are wanted")
    hold(run["holders"] == {"1": 1, "2": 2, "3": 3}, f"held by {run['holders']}")
    return (
        f"{run['made']} machines ordered, each name once; at most {run['most_rented']} rented and "
        f"{run['most_billable']} billable at a time, max is {run['max']}; in the end {run['wanted']} wanted, "
        f"serving, recorded and rented"
    )


_LEASES = 2 * 180.0
PROMISES = (
    Promise(
        "cycle_killed",
        "`kill -9` of a node's Cycle and Round in the middle of a build",
        "its next tick goes on from the records; nothing is ordered twice",
        cycle_killed,
    ),
    Promise(
        "power_cut",
        "a node loses its power in the middle of a build, while another is frozen (next row)",
        "its share is taken over within two lease lengths (360 s), the build is finished; the share is given back "
        "when it is heard again",
        power_cut,
        {"taken": _LEASES},
    ),
    Promise(
        "frozen",
        "a node is frozen in the middle of a build, for longer than its lease, and thawed; one is left alone",
        "taken over within two lease lengths; thawed it does nothing by its old epoch, but what had passed its last "
        "check",
        frozen,
        {"taken": _LEASES},
    ),
    Promise(
        "no_store",
        "a node cannot reach the Store, while another is blind (next row)",
        "it does nothing; its share is taken over within two lease lengths, and given back",
        no_store,
        {"taken": _LEASES},
    ),
    Promise(
        "blind",
        "a node can reach no webserver",
        "its blindness kills nobody: judgement is withheld",
        blind,
    ),
    Promise(
        "two_off",
        "two webservers lose their power, and one node alone cannot reach a healthy third",
        "the two are kept from visitors, replaced and destroyed; the third is not, for no second node finds it dead",
        two_off,
    ),
    Promise(
        "all_500",
        "every webserver answers 500, new ones too",
        "judgement is withheld by every node: nobody is withdrawn or destroyed",
        all_500,
    ),
    Promise(
        "store_down",
        "the Store answers nobody for four ticks",
        "webservers go on serving, nothing is built or destroyed, all goes on when it is back",
        store_down,
    ),
    Promise(
        "reboots",
        "nodes reboot, for real, after each Cycle that built or removed something",
        "one at a time, and each carries on",
        reboots,
    ),
    Promise(
        "all_along",
        "all of these, one after the other",
        "nothing is ordered twice, max holds in every state, nothing is unknown in the end",
        all_along,
    ),
)


@dataclass(frozen=True)
class Row:
    """What came of a Promise: `broken` says how it was not kept."""

    promise: Promise
    measured: str
    broken: str = ""
    late: str = ""  # beyond a bound that holds for true time only


def kept(promise: Promise, run: Mapping[str, Any]) -> Row:
    """Check it."""
    facts = run["facts"].get(promise.name, {})
    if promise.check is not all_along and (not facts or "error" in facts):
        return Row(promise, "", str(facts.get("error", "it was not played")))
    try:
        measured = promise.check(facts, run)
    except Broken as err:
        return Row(promise, "", str(err))
    bounds = (promise.within or {}).items() if run["hurry"] == 1 else ()
    late = "; ".join(f"{fact}: {facts[fact]} s, promised within {most:.0f} s" for fact, most in bounds
                     if facts[fact] > most)  # fmt: skip
    return Row(promise, measured, late=late)


def rows_of(*runs: Mapping[str, Any]) -> list[Row]:
    """Of every Promise, from the run that played it; the last one from each."""
    rows = []
    for promise in PROMISES:
        of = [run for run in runs if promise.check is all_along or promise.name in run["facts"]] or runs[:1]
        found = [kept(promise, run) for run in of]
        parts = [list(filter(None, part)) for part in zip(*((r.measured, r.broken) for r in found), strict=True)]
        measured, broken = ("; and on the other fleet: ".join(part) for part in parts)
        rows.append(replace(found[0], measured=measured, broken=broken))
    return rows


def tale(run: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines = [f"three nodes, twelve webservers, {run['hurry']} times as fast (lease {run['lease']:g} s):"]
    for row in rows:
        said = row.measured or f"NOT KEPT: {row.broken}"
        lines.append(f"{row.promise.name}: {said}" + (f"; LATE: {row.late}" if row.late else ""))
    return "\n".join(lines)


def page(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The document."""
    lines = [HEAD, *head, "", TAIL, "| fault | promise | | measured |", "| --- | --- | --- | --- |"]
    for row in rows:
        word = "**broken**" if row.broken else "**late**" if row.late else "kept"
        broken = row.broken.strip().splitlines()[-1:]
        measured = "; ".join(part for part in (row.measured, row.late, *broken) if part)
        lines.append(f"| {' | '.join(_cell(w) for w in (row.promise.fault, row.promise.promise, word, measured))} |")
    lines += ["", "By [many_nodes.py](../tests/lab/many_nodes.py), which plays them, and "
              "[faults_table.py](../tests/lab/faults_table.py), which judges."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def machine(began: float, load: float) -> list[str]:
    """On what, and when."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")), "")
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return [
        "| machine | |",
        "| --- | --- |",
        f"| when | {day}, in {(time.monotonic() - began) / 60:.0f} minutes |",
        f"| processor | {model or platform.machine()}, {os.cpu_count()} cores |",
        f"| load before and after | {load:.1f}, {os.getloadavg()[0]:.1f} |",
        f"| system | {platform.system()} {platform.release()}, Python {platform.python_version()} |",
    ]


def main(hurry: str = "1") -> int:
    """Play, judge, write. In true time two fleets stand side by side: each plays for a third of an hour."""
    began, load = time.monotonic(), os.getloadavg()[0]

    def play(lot: Sequence[str]) -> dict[str, Any]:
        return run_inside("tests.lab.many_nodes", hurry, ",".join(lot), timeout=LONGEST)  # type: ignore[no-any-return]

    with ThreadPoolExecutor() as both:
        runs = list(both.map(play, LOTS if hurry == "1" else [()]))
    rows = rows_of(*runs)
    print(tale(runs[0], rows))
    if hurry == "1":
        PAGE.write_text(page(rows, machine(began, load)))
        print(f"\nwritten to docs/{PAGE.name}")
    return int(any(row.broken or row.late for row in rows))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
