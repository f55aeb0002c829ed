"""Inside: one day of a fleet, by a hurried clock, told minute by minute. `test_day.py` says what must come of it.

By hand: `python -m tests.lab.inside tests.lab.day` (or with another rate: `... tests.lab.day 6`).

It is 2027-03-28, the Sunday on which Berlin's clocks went forward in the night. The nodes' own clocks stand in three
zones. Three nodes, each a whole host: power cut, reboots of their own after each cycle that earned one.

Being down means two things here. At 07:30 node 3 alone is off: the others apply the entry to the wish that all share,
and one of them takes its share and does its part; it has the share again when it is back. At 11:45 all nodes are off:
the event itself is missed, and the first node that is back replays it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from autoscaler.ports import StoreUnreachable
from autoscaler.server import ServerState
from providerscripts.servers.faults import Fault
from tests.lab.estate import Estate, visitors
from tests.lab.inside import LAB
from tests.lab.light import LightHost

ZONE = "Europe/Berlin"
ENDED = {"reboot": "reboot", "pulled": "power cut", "died": "crash", "power off": "shutdown"}
ZONES = ("Etc/UTC", "Europe/Berlin", "America/New_York")  # of the nodes
SCHEDULE = f"""\
schedule:
  zone: {ZONE}
  entries:
    - {{name: morning, at: "07:30", up_to: 8}}
    - {{name: monday-rush, at: "09:00", days: mon, up_to: 15}}
    - {{name: lunch, at: "11:45", by: +2}}
    - {{name: evening, at: "17:30", down_to: 3}}
"""


class Timeline:
    """What happened when, by the lab's clock; and a watcher that notes each change of what there is."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.lines: list[str] = []
        self.wishes: list[int] = []  # each number that was ever seen wanted, in its order
        self.least_up = 10**9
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Timeline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def say(self, what: str) -> None:
        """What the scenario does."""
        self._note(f"  {what}")

    def _note(self, what: str) -> None:
        with self._lock:
            self.lines.append(f"{self.estate.clock.text()} {what}")
            print(self.lines[-1], flush=True)

    def _watch(self) -> None:
        estate, last, boots = self.estate, "", [node.boots for node in self.estate.nodes]
        while not self._over.wait(0.3):
            with suppress(StoreUnreachable):
                wanted, up = estate.profile().webservers, len(estate.up())
                if not self.wishes or self.wishes[-1] != wanted:
                    self.wishes.append(wanted)
                self.least_up = min(self.least_up, up)
                now = f"wanted {wanted:2}  up {up:2}  machines {len(estate.cloud.living()):2}"
                if now != last:
                    self._note(f"| {now}")
                    last = now
            for at, node in enumerate(estate.nodes):
                if node.boots != boots[at]:
                    boots[at] = node.boots
                    self._note(f"| {node.name} boots ({node.boots}), after a {ENDED[node.endings[boots[at] - 2]]}")


def main(rate: str = "10") -> dict[str, Any]:
    start = datetime(2027, 3, 28, 7, 16, tzinfo=ZoneInfo(ZONE))
    with Estate(start, float(rate), ZONE, SCHEDULE, ZONES) as estate:
        estate.set_up(webservers=3)
        crontabs = [node.install_crontab() for node in estate.nodes]
        estate.until(lambda: len(estate.up()) == 3, "the night's three", 10)
        crowd, counts, end = visitors(estate, LAB)
        try:
            with Timeline(estate) as line:
                day = Day(estate, line)
                day.night()
                day.morning()
                day.ails()
                day.noon()
                day.evening()
            end.touch()
            crowd.wait(60)
        except BaseException:
            print(estate.told(), flush=True)
            raise
        finally:
            crowd.kill()
            crowd.wait()
        told = day.told() | {"crontabs": crontabs, "visitors": json.loads(counts.read_text())}
        (LAB / "told.json").write_text(json.dumps(told))
        return told


class Day:
    """Its hours, in their order."""

    def __init__(self, estate: Estate, line: Timeline) -> None:
        self.estate, self.line, self.clock = estate, line, estate.clock
        self.replaced: dict[str, str] = {}  # fault -> the webserver that had to be replaced for it
        self.endured: dict[str, str] = {}  # fault -> the webserver that had to live through it
        self.kept: list[str] = []
        self.takers: list[int] = []  # who held share 3 while its node was off, and after
        self.counts: dict[str, tuple[int, int, int]] = {}  # hour -> wanted, up, machines

    def host(self, name: str) -> LightHost:
        """The lab host behind a webserver."""
        return self.estate.rack.hosts[name]

    def settled(self, number: int, minutes: float) -> None:
        """So many wanted and up, nothing else rented, nothing under way."""
        estate = self.estate

        def so() -> bool:
            there = (estate.profile().webservers, len(estate.up()), len(estate.records()), len(estate.cloud.living()))
            return there == (number,) * 4

        estate.until(so, f"{number} wanted, up, recorded and rented", minutes)

    def quiet(self) -> None:
        """No node that is switched on owes a reboot, or is in one."""
        estate = self.estate

        def so() -> bool:
            on = [node for node in estate.nodes if node.running]
            return not any(node.owes_reboot() for node in on)

        estate.until(so, "no reboot is owed", 8)
        for node in estate.nodes:
            if node.running:
                node.wait_up()

    def put_on(self, to: str) -> None:
        """Nothing is to happen before that time: it is so late now."""
        self.quiet()
        if self.clock.now() < self.clock.at(to).timestamp():
            self.estate.jump(to)
            self.line.say(f"(the clock is put on to {to})")

    def count(self, hour: str) -> None:
        """Keep what there is at this hour."""
        estate = self.estate
        self.counts[hour] = (estate.profile().webservers, len(estate.up()), len(estate.cloud.living()))

    def night(self) -> None:
        """Three webservers; node 3 loses its power before the morning's entry."""
        self.settled(3, 5)
        self.count("night")
        self.quiet()
        self.estate.nodes[2].power_off()
        self.line.say("node 3 is switched off, and is off at 07:30")
        self.put_on("07:29:20")

    def morning(self) -> None:
        """07:30 without node 3; another does its part. One create loses its answer, one finds the cloud sold out."""
        estate = self.estate
        estate.cloud.next("create", Fault.LOST_ANSWER)
        estate.cloud.next("create", Fault.SOLD_OUT)
        self.line.say("the cloud will lose the answer to the next create, and be sold out for the one after it")
        self.settled(8, 15)
        self.count("morning without node 3")
        self.line.say(f"07:30 is applied; share 3 is built by node {estate.share(3).holder}, which took it;")
        self.takers = [estate.share(3).holder]
        self.line.say("node 3 is switched on")
        estate.nodes[2].boot()
        estate.until(lambda: estate.share(3).holder == 3, "share 3 with its own node", 10)
        self.takers.append(estate.share(3).holder)
        self.settled(8, 8)
        self.count("morning")
        self.line.say("node 3 has its share again")

    def ails(self) -> None:
        """Every fault of the list, at two webservers at once: so no brake holds, which sees the whole fleet."""
        estate, (one, two, three) = self.estate, (self.estate.up(k) for k in (1, 2, 3))
        self.replaced |= {"power off": one[0], "frozen": two[0]}
        self.endured |= {"narrow link": one[1], "loss": two[1]}
        self.line.say(f"{one[0]} loses power, {two[0]} freezes;")
        self.line.say(f"{one[1]} hangs on 64 kbit/s, {two[1]} loses 20 % of what is sent to it")
        self.host(one[0]).power_off()
        self.host(two[0]).freeze()
        self.host(one[1]).narrow()
        self.host(two[1]).loss(20)
        self.gone([one[0], two[0]])
        self.line.say("both are replaced")
        self.replaced |= {"sick": three[0], "partition": one[2]}
        self.line.say(f"{three[0]} answers 500 only, {one[2]} is cut off from the network")
        self.host(three[0]).sick()
        self.host(one[2]).partition()
        self.gone([three[0], one[2]])
        self.line.say("both are replaced")
        for name in (one[1], two[1]):
            self.host(name).heal()
        self.count("after the faults")
        self.kept = [name for name in self.endured.values() if name in estate.up()]

    def gone(self, names: list[str]) -> None:
        """These are replaced and no longer rented, and the fleet is whole again."""
        estate = self.estate
        estate.until(lambda: not set(names) & {m.name for m in estate.cloud.living()}, f"the end of {names}", 20)
        self.settled(estate.profile().webservers, 10)

    def noon(self) -> None:
        """A power cut takes all nodes before 11:45; they find the entry missed when they are back."""
        estate = self.estate
        for node in estate.nodes:
            node.power_off()
        self.line.say("a power cut: no node runs, and 11:45 passes without any")
        self.put_on("11:47:00")
        self.count("noon, in the dark")
        for node in estate.nodes:
            node.boot()
        self.line.say("power is back, the missed entry is for the nodes to find; the cloud's quota is 9")
        cloud = estate.cloud
        cloud.quota = 9
        estate.until(lambda: len(estate.up()) == 9 and cloud.ledger_has("create", Fault.QUOTA), "nine, no more", 10)
        cloud.quota = None
        self.line.say("the quota is lifted")
        self.settled(10, 25)
        self.count("noon")

    def evening(self) -> None:
        """17:30 with all nodes; visitors are drained, machines given back, nodes rebooted."""
        self.put_on("17:29:20")
        self.settled(3, 20)
        self.count("evening")
        self.quiet()
        self.line.say("the day is over")

    def told(self) -> dict[str, Any]:
        """For the test."""
        estate, cloud = self.estate, self.estate.cloud
        journal = sorted(estate.journal(), key=lambda e: str(e["at"]))

        def runs(true: Callable[[dict[str, Any]], bool]) -> list[list[int]]:
            """Of each node the numbers of its Cycles that wrote such an entry."""
            return [sorted({e["run"] for e in journal if e["node"] == n.ordinal and true(e)}) for n in estate.nodes]

        wishes = [e for e in journal if e["kind"] == "wish"]
        return {
            "timeline": self.line.lines,
            "counts": self.counts,
            "wishes": self.line.wishes,
            "least_up": self.line.least_up,
            "applied": [event.id for event in estate.profile().applied],
            "replaced": self.replaced,
            "endured": self.endured,
            "kept": self.kept,
            "takers": self.takers,
            "posted": dict(cloud.creates),
            "made": dict(Counter(machine.name for machine in cloud.machines.values())),
            "living": sorted(machine.name for machine in cloud.living()),
            "running": [m.name for m in cloud.living() if m.told()["state"] == ServerState.RUNNING],
            "most": cloud.most,
            "faults": sorted({f"{entry.verb}: {entry.came}" for entry in cloud.ledger if entry.came}),
            "up": estate.up(),
            "reboots": [node.own_reboots() for node in estate.nodes],
            "boots": [node.boots for node in estate.nodes],
            "endings": [list(node.endings) for node in estate.nodes],
            "missed": [e["sentence"] for e in wishes if "min late" in e["sentence"]],
            "wished": [_wished(e) for e in wishes],
            "reboots_journalled": runs(lambda e: e["kind"] == "reboot"),
            "earned": runs(_earns),
            "refused": sorted(e.what for e in cloud.ledger if e.came in (Fault.SOLD_OUT, Fault.QUOTA)),
            "unrecorded": sorted({m.name for m in cloud.living()} - set(estate.records())),
            "deleted": sorted({entry.what for entry in cloud.ledger if entry.verb == "delete"}),
            "dead": _dead(journal),
            "fired": [node.entries_fired() for node in estate.nodes],
        }


def _earns(entry: dict[str, Any]) -> bool:
    """Was something done in this turn of a Cycle that earns its node a reboot?"""
    done = [d for turn in entry.get("turns", []) for d in turn["done"]] if entry["kind"] == "cycle" else []
    return any(d["step"]["kind"] in ("create", "destroy", "withdraw") and d["outcome"] == "done" for d in done)


def _dead(journal: list[dict[str, Any]]) -> dict[str, str]:
    """Whom a Round judged dead, and why."""
    verdicts = [found for entry in journal for found in entry.get("verdicts", {}).items()]
    return {name: said for name, said in verdicts if said.startswith("dead")}


def _wished(entry: dict[str, Any]) -> list[int]:
    """A change of the wish as the Journal has it: the numbers before and after."""
    return [e["webservers"] if isinstance(e, dict) else e for e in (entry["before"], entry["after"])]
