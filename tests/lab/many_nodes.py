"""Inside: three nodes, twelve webservers, one fault after the other. `faults_table.py` says what must come of each.

By hand: `python -m tests.lab.inside tests.lab.many_nodes` (or `... tests.lab.many_nodes 1`, as slow as it really is).

Nothing is pretended: each node is a whole host under Debian's cron, S3 is SeaweedFS on a host of its own, visitors
come through HAProxy. Waiting periods (tick, lease, strikes) and cron's minutes are divided by `hurry`, as Settings
can say; the network's time-outs are not.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoscaler.node import read_heartbeat
from autoscaler.ports import Conditional, StoreUnreachable
from autoscaler.share import Share
from autoscaler.webserver import COMING
from providerscripts.store.s3 import S3Store
from tests.lab.bridge import Bridge
from tests.lab.cloud import LightRack
from tests.lab.estate import BUCKET, Estate, Node, visitors
from tests.lab.faults import HostDown
from tests.lab.host import Host
from tests.lab.inside import LAB
from tests.lab.light import LightHost

MAX = 15
TICK, LEASE, UPTIME = 60.0, 180.0, 120.0  # not hurried, in seconds
PATIENCE = 4.0  # times what is expected, and most of a minute: no promise, only an end to waiting
ZONES = ("Etc/UTC",) * 3
LADDER = """\
  http: {{path: /health}}
  ssh: {{user: root, one_in: 4}}
  reachable: {}s
  known: 15s
  built: 15s
  serving: {}s
  again: {}s
"""


class Rack(LightRack):
    """With `sick`, what is switched on from now on answers 500, as all the others do."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self.sick = False

    def __call__(self, name: str) -> LightHost:
        host = super().__call__(name)
        if self.sick:
            host.sick()
        return host


class Field(Estate):
    """The fleet of this file."""

    def _build(self, stack: Any) -> None:
        super()._build(stack)
        self.cloud.rack = self.rack = Rack(self.bridge)
        self.cloud.boot_delay = max(2.0, 20.0 / self.hurry)
        self.cloud.lag = 0.5

    def _deployment(self) -> str:
        balancer = {
            "name": "haproxy", "file": str(self.proxy_file), "socket": f"{self.balancer.address}:9999",
            "backend": "web", "check": "/health", "inter": "500ms", "verify": False,
        }  # fmt: skip
        brisk = self.hurry > 1  # the network's time-outs are not divided: they would be most of a hurried Round
        rent = {"name": "lab", "url": self.cloud.url, "boot_time": 60}
        rent |= dict(zip(("http_timeout", "listing_lag", "tail"), (3, 1, 1) if brisk else (5, 2, 2), strict=True))
        ladder = LADDER.format(*((2, 3, 4) if brisk else (4, 5, 8)))
        return (
            f"format: 1\npool: web\nmode: observe\nnodes: 3\nlimits: {{min: 1, max: {MAX}}}\n"
            f"provider: {json.dumps(rent)}\nbalancers: [{json.dumps(balancer)}]\ndrain: 30s\n"
            f"rules: {{uptime: {UPTIME:.0f}s}}\nladder:\n{ladder}"
        )


@dataclass
class Seen:
    """What the watcher saw since the last scenario began."""

    billable: int = 0  # the most, by the records
    rented: int = 0  # the most, by the cloud
    least_up: int = 10**9


@dataclass
class Reboot:
    """One that a node asked for: real seconds since the lab began."""

    node: int
    at: float
    back: float | None = None  # when its heartbeat bore its new boot id


class Watch:
    """Looks several times a second; notes each change of what there is."""

    def __init__(self, estate: Field) -> None:
        self.estate = estate
        self.began = time.monotonic()
        self.lines: list[str] = []
        self.seen = Seen()
        self.all = Seen()
        self.reboots: list[Reboot] = []
        self.holders: dict[int, tuple[int, int]] = {}  # share -> holder, epoch
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._fleet, self._boots)]
        at = estate.s3
        self.store = S3Store(
            BUCKET, endpoint=at.endpoint, region=at.region, access_key=at.access_key, secret_key=at.secret_key,
            conditional=Conditional.YES, connect_timeout=1.0, read_timeout=10.0, attempts=1,
        )  # fmt: skip

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def now(self) -> float:
        """Real seconds since the lab stood."""
        return time.monotonic() - self.began

    def say(self, what: str) -> None:
        """One line of the timeline."""
        with self._lock:
            self.lines.append(f"{self.now():6.1f} {what}")
            print(self.lines[-1], flush=True)

    def _fleet(self) -> None:
        estate, last = self.estate, ""
        while not self._over.wait(0.3):
            rented = len(estate.cloud.living())
            for seen in (self.seen, self.all):
                seen.rented = max(seen.rented, rented)
            with suppress(StoreUnreachable):
                up, billable = len(estate.up()), len(estate.records())
                for seen in (self.seen, self.all):
                    seen.billable, seen.least_up = max(seen.billable, billable), min(seen.least_up, up)
                shares = [s for k in (1, 2, 3) if (s := share_of(estate, k)) is not None]
                brakes = [s.share for s in shares if s.brake is not None]
                told = f"| up {up:2}  billable {billable:2}  rented {rented:2}"
                told += f"  brake {brakes}" if brakes else ""
                for share in shares:
                    now = (share.holder, share.epoch)
                    if self.holders.get(share.share) not in (None, now):
                        self.say(f"| share {share.share} is held by {share.holder or 'nobody'}, epoch {share.epoch}")
                    self.holders[share.share] = now
                self._back()
                if told != last:
                    self.say(last := told)

    def _boots(self) -> None:
        """Every reboot that a node asked for: in its moment, for it takes a tenth of a second."""
        counts = [node.own_reboots() for node in self.estate.nodes]
        while not self._over.wait(0.05):
            for at, node in enumerate(self.estate.nodes):
                if node.own_reboots() > counts[at]:
                    counts[at] += 1
                    self.reboots.append(Reboot(node.ordinal, self.now()))
                    self.say(f"| {node.name} reboots")

    def _back(self) -> None:
        for reboot in self.reboots:
            if reboot.back is None:
                heart = heart_of(self.estate, reboot.node)
                if heart is not None and heart.boot == self.estate.nodes[reboot.node - 1].boot_id():
                    reboot.back = self.now()


def share_of(estate: Estate, number: int) -> Share | None:
    """Its document; None before there is one."""
    with suppress(AssertionError):
        return estate.share(number)
    return None


def heart_of(estate: Estate, node: int) -> Any:
    """Its heartbeat; None before there is one."""
    found = estate.store.get(f"nodes/{node}.json")
    return read_heartbeat(found.body, "nodes") if found is not None else None


def main(hurry: str = "15", only: str = "") -> dict[str, Any]:
    """`only`: names of scenarios, with commas between; else all."""
    with Field(datetime.now(UTC), 1, "UTC", "", ZONES, true_time=True, hurry=int(hurry)) as estate:
        with Watch(estate) as watch:
            estate.store = watch.store
            run = Run(estate, watch)
            run.begin(small=not only or "nodes_lost" in only)
            crowd, counts, end = visitors(estate, LAB)
            run.counts = counts
            try:
                for name in SCENARIOS:
                    if not only or name in only.split(","):
                        run.play(name)
                run.finish()
                end.touch()
                crowd.wait(60)
            finally:
                crowd.kill()
                crowd.wait()
            return run.told() | {"visitors": json.loads(counts.read_text())}


@dataclass
class Run:
    """The scenarios, in their order; each gives back what it measured, in real seconds."""

    estate: Field
    watch: Watch
    counts: Path = LAB / "none"
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    ill: set[str] = field(default_factory=set)  # webservers that were really made unfit to serve
    broken: bool = False

    # --- the frame -----------------------------------------------------------------------------------

    def play(self, name: str) -> None:
        """One scenario; whatever goes wrong in it is its own fact, and the next begins on a settled fleet."""
        if self.broken:
            self.keep(name, {"error": "not played: the fleet did not settle after what stood before"}, {})
            return
        estate, began, before = self.estate, self.watch.now(), self.heads()
        self.watch.seen = Seen()
        self.watch.say(f"== {name}")
        deleted = len(self.deleted())
        try:
            facts = getattr(self, f"_{name}")()
        except Exception:  # noqa: BLE001  told as the scenario's result
            facts = {"error": traceback.format_exc(limit=4)}
            self.watch.say(f"{facts['error']}\n{estate.told()}")
            self.mend()
        after = self.heads()
        gone = self.deleted()[deleted:]
        frame = {
            "seconds": round(self.watch.now() - began, 1),
            "gets": after["sent"] - before["sent"],
            "failed": after["failures"] - before["failures"],
            "billable": self.watch.seen.billable,
            "rented": self.watch.seen.rented,
            "least_up": self.watch.seen.least_up,
            "wanted": estate.profile().webservers,
            "deleted": gone,
            "deleted_well": [name for name in gone if name not in self.ill],
        }
        self.keep(name, facts, frame)
        self.watch.say(f"   {facts | frame}")

    def keep(self, name: str, facts: dict[str, Any], frame: dict[str, Any]) -> None:
        """The facts of each promise that this scenario is about."""
        about = SCENARIOS[name]
        for promise in about:
            own = facts if len(about) == 1 or "error" in facts else facts[promise]
            self.facts[promise] = own | frame

    def mend(self) -> None:
        """After a scenario that failed: all is well again, or the run ends."""
        estate = self.estate
        estate.store_host.heal()
        estate.rack.sick = False
        for host in [*estate.nodes, *estate.rack.hosts.values()]:
            if host.running:
                host.heal()
                host.thaw()
                if isinstance(host, LightHost):
                    host.well()
        for node in estate.nodes:
            node.boot()
        try:
            self.settled(estate.profile().webservers, 10)
        except AssertionError:
            self.broken = True

    def heads(self) -> dict[str, int]:
        """The visitors' counts so far."""
        with suppress(OSError):
            return dict(json.loads(self.counts.read_text()))
        return {"sent": 0, "failures": 0}

    def deleted(self) -> list[str]:
        """Names whose deletion the cloud accepted, in order."""
        return [entry.what for entry in self.estate.cloud.ledger if entry.verb == "delete"]

    def until(self, true: Callable[[], object], what: str, ticks: float) -> float:
        """Wait until it is so; the seconds it took. `ticks` is what is expected; far beyond it the wait ends."""
        began = time.monotonic()
        end = began + 45 + PATIENCE * ticks * TICK / self.estate.hurry

        def so() -> object:
            with suppress(StoreUnreachable):
                return true()
            return False

        while not so():
            if time.monotonic() > end:
                raise AssertionError(f"not within {end - began:.0f} s: {what}")
            time.sleep(0.1)
        return round(time.monotonic() - began, 1)

    def pause(self, ticks: float) -> None:
        """Let so many ticks pass."""
        time.sleep(ticks * TICK / self.estate.hurry)

    @contextmanager
    def timed(self) -> Iterator[Callable[[], float]]:
        """Seconds since here."""
        began = time.monotonic()
        yield lambda: round(time.monotonic() - began, 1)

    def settled(self, number: int, ticks: float) -> float:
        """So many wanted, up, recorded and rented; nothing under way, nothing unknown, no brake."""
        estate = self.estate

        def so() -> bool:
            up, records = estate.up(), set(estate.records())
            names = {m.name for m in estate.cloud.living()}
            shares = [share_of(estate, k) for k in (1, 2, 3)]
            calm = all(share is not None and share.brake is None for share in shares)
            return calm and len(up) == number == estate.profile().webservers and set(up) == records == names

        return self.until(so, f"{number} wanted, up, recorded and rented", ticks)

    def wish(self, number: int) -> None:
        """As an operator does, on whichever node lets him: one may reboot just now."""

        def said() -> bool:
            for node in self.estate.nodes:
                with suppress(HostDown):
                    node.call("adjust-scaling", str(number), "--yes", code=None)
                if self.estate.profile().webservers == number:
                    return True
            return False

        self.until(said, f"{number} in the Profile", 1)
        self.watch.say(f"   {number} webservers are wanted")

    def whole(self, ticks: float) -> float:
        """As many as are wanted, and all in order."""
        return self.settled(self.estate.profile().webservers, ticks)

    def building(self, share: int) -> bool:
        """Is something of this share between its order and its first visitor?"""
        return any(r.state in COMING for r in self.estate.share(share).records.values())

    def held(self, share: int, by: int | None = None) -> bool:
        """Is it held by this node; without a name, by another than its own?"""
        holder = self.estate.share(share).holder
        return holder == by if by is not None else holder not in (0, share)

    def at_home(self) -> bool:
        """Each share in the hands of its own node."""
        return all(self.estate.share(k).holder == k for k in (1, 2, 3))

    def beats(self) -> dict[int, float]:
        """When each node was last heard."""
        return {k: heart_of(self.estate, k).heard for k in (1, 2, 3)}

    def begin(self, small: bool) -> None:
        """Six webservers from nothing, by the product's own crontab; all twelve where no scenario builds the rest."""
        first = 6 if small else 12
        self.estate.set_up(webservers=first)
        for node in self.estate.nodes:
            node.install_crontab()
        self.watch.say(f"three nodes have their crontab; {first} webservers are wanted")
        self.settled(first, 4)

    def finish(self) -> None:
        """The end: nothing is unknown, everybody at home, no reboot owed."""
        if not self.broken:
            self.settled(self.estate.profile().webservers, 6)
            self.until(self.at_home, "every share with its own node", 8)
            self.until(lambda: all(r.back is not None for r in self.watch.reboots), "all are back", 4)

    def told(self) -> dict[str, Any]:
        """For the checks outside."""
        estate, cloud = self.estate, self.estate.cloud
        return {
            "hurry": estate.hurry,
            "max": MAX,
            "tick": TICK / estate.hurry,
            "lease": LEASE / estate.hurry,
            "facts": self.facts,
            "timeline": self.watch.lines,
            "wanted": estate.profile().webservers,
            "up": estate.up(),
            "records": sorted(estate.records()),
            "living": sorted(m.name for m in cloud.living()),
            "posted_twice": sorted(n for n, times in cloud.creates.items() if times > 1),
            "made_twice": sorted(n for n, t in Counter(m.name for m in cloud.machines.values()).items() if t > 1),
            "made": len(cloud.machines),
            "most_rented": cloud.most,
            "most_billable": self.watch.all.billable,
            "holders": {k: estate.share(k).holder for k in (1, 2, 3)},
            "reboots": [[r.node, round(r.at, 1), None if r.back is None else round(r.back, 1)]
                        for r in self.watch.reboots],
            "endings": [list(node.endings) for node in estate.nodes],
            "told": "" if not self.broken else estate.told(),
        }

    # --- the scenarios -------------------------------------------------------------------------------

    def _cycle_killed(self) -> dict[str, Any]:
        """kill -9 of all of node 2's processes of the product, in the middle of a build."""
        node = self.estate.nodes[1]
        self.wish(9)
        self.until(lambda: self.building(2) and node.at_work(), "a build of node 2", 3)
        node.kill_product()
        self.watch.say("   node 2's Cycle is killed in the middle of its build")
        return {"whole": self.settled(9, 4)}

    def _nodes_lost(self) -> dict[str, Any]:
        """Amid a build node 1 loses its power and node 2 is frozen; node 3 is alone till both are back."""
        estate, (one, two, _) = self.estate, self.estate.nodes
        self.wish(12)
        lost: dict[int, float] = {}

        def lose() -> bool:
            if 1 not in lost and self.building(1):
                one.power_off()
                lost[1] = self.watch.now()
                self.watch.say("   node 1 has no power, in the middle of its build")
            if 2 not in lost and self.building(2) and two.at_work():
                two.freeze()
                lost[2] = self.watch.now()
                self.watch.say("   node 2 is frozen, in the middle of its build")
            return len(lost) == 2

        self.until(lose, "builds of nodes 1 and 2", 3)
        taken: dict[int, float] = {}

        def took() -> bool:
            taken.update({k: self.watch.now() for k in (1, 2) if k not in taken and self.held(k, 3)})
            return len(taken) == 2

        self.until(took, "both shares with node 3", 7)
        # A name whose order may have been lost with its writer stays billable until that writer is heard again.
        self.until(lambda: len(estate.up()) >= 12, "twelve serving", 6)
        whole = self.watch.now()
        made, epochs = set(estate.cloud.creates), {k: estate.share(k).epoch for k in (1, 2)}
        named = set(estate.records(True))
        two.thaw()
        one.boot()
        thawed = back = self.watch.now()
        self.watch.say("   node 2 is thawed, node 1 has its power back")
        home: dict[int, float] = {}

        def handed_back() -> bool:
            home.update({k: self.watch.now() for k in (1, 2) if k not in home and self.held(k, k)})
            return len(home) == 2

        self.until(handed_back, "both shares at home", 8)
        self.whole(6)
        late = sorted(set(estate.cloud.creates) - made)

        def facts(k: int, back: float) -> dict[str, Any]:
            return {
                "taken": round(taken[k] - lost[k], 1), "whole": round(whole - lost[k], 1),
                "away": round(back - lost[k], 1), "home": round(home[k] - back, 1),
                "epochs": [epochs[k], estate.share(k).epoch], "late": late,
                "unnamed": sorted(set(late) - named),
            }  # fmt: skip

        said = last_line(two, "cycle", " exit 5: ")
        return {"power_cut": facts(1, back), "frozen": facts(2, thawed) | {"said": said}}

    def _nodes_cut(self) -> dict[str, Any]:
        """Node 3 cannot reach the Store. Node 2 can reach no webserver. Everything else they can."""
        estate, (_, two, three) = self.estate, self.estate.nodes
        up = estate.up()
        three.cut_from(estate.store_host)
        for name in up:
            two.cut_from(estate.rack.hosts[name])
        self.watch.say("   node 3 is cut off from the Store, node 2 from the webservers")
        times: dict[str, float] = {}
        began = self.watch.now()

        def both() -> bool:
            if self.held(3):
                times.setdefault("taken", round(self.watch.now() - began, 1))
            if estate.share(2).brake is not None:
                times.setdefault("brake", round(self.watch.now() - began, 1))
            return len(times) == 2

        self.until(both, "share 3 in other hands, the brake of share 2 on", 7)
        self.pause(1)
        reached = set(estate.up())
        said = last_line(three, "cycle", " exit 4: ")
        self.heal(two, three, estate.store_host, *(estate.rack.hosts[name] for name in up))
        self.watch.say("   both reach all again")
        began = self.watch.now()

        def mended() -> bool:
            if self.held(3, 3):
                times.setdefault("home", round(self.watch.now() - began, 1))
            if all(estate.share(k).brake is None for k in (1, 2, 3)):
                times.setdefault("off", round(self.watch.now() - began, 1))
            return len(times) == 4

        self.until(mended, "share 3 with node 3, no brake", 8)
        whole = self.whole(8)
        withdrawn = sorted(set(up) - reached)
        return {"no_store": times | {"said": said}, "blind": times | {"withdrawn": withdrawn, "whole": whole}}

    def heal(self, *hosts: Host) -> None:
        """The network between all is as it was; a host that is off has none of its faults any more."""
        for host in hosts:
            if host.running:
                host.heal()

    def _two_off(self) -> dict[str, Any]:
        """Two webservers lose their power. Meanwhile node 3 alone cannot reach a third, a healthy one of its own."""
        estate = self.estate
        dead = [estate.up(1)[0], estate.up(2)[0]]
        well = estate.up(3)[0]
        self.ill |= set(dead)
        node, host = estate.nodes[2], estate.rack.hosts[well]
        node.cut_from(host)
        for name in dead:
            estate.rack.hosts[name].power_off()
        self.watch.say(f"   {dead} have no power; node 3 alone cannot reach {well}, which is well")
        with self.timed() as seconds:
            self.until(lambda: not set(dead) & set(estate.up()), "the two kept from visitors", 3)
            withdrawn = seconds()
            self.until(lambda: not set(dead) & {m.name for m in estate.cloud.living()}, "the end of the two", 8)
            destroyed = seconds()
            self.until(lambda: len(set(estate.up()) - set(dead)) >= 11, "their places taken", 6)
            replaced = seconds()
        accused = self.until(lambda: accusations(estate, well), f"the accusation of {well}", 6)
        self.until(lambda: asked_again(estate, well), f"a second answer about {well}", 6)
        lives = well in {m.name for m in estate.cloud.living()}
        opinions = sorted(estate.store.keys(f"opinions/{well}/"))
        self.heal(node, host)
        self.watch.say(f"   node 3 reaches {well} again")
        return {
            "dead": dead, "well": well, "withdrawn": withdrawn, "replaced": replaced, "destroyed": destroyed,
            "accused": accused, "lives": lives, "opinions": opinions, "whole": self.whole(8),
        }  # fmt: skip

    def _all_500(self) -> dict[str, Any]:
        """Every webserver answers 500, the new ones too; as when the shop's database is gone."""
        estate = self.estate
        there = set(estate.up())
        deleted = len(self.deleted())
        estate.rack.sick = True
        for name in there:
            estate.rack.hosts[name].sick()
        self.watch.say("   every webserver answers 500, and each new one will")
        on = self.until(lambda: all(estate.share(k).brake is not None for k in (1, 2, 3)), "all three brakes", 4)
        self.pause(2)
        living = {m.name for m in estate.cloud.living()}
        gone = self.deleted()[deleted:]
        reached = set(estate.up())
        estate.rack.sick = False
        for host in estate.rack.hosts.values():
            host.well()
        self.watch.say("   all are well")
        return {
            "brakes": on, "destroyed": gone, "withdrawn": sorted(there - reached), "built": len(living - there),
            "whole": self.whole(14),
        }  # fmt: skip

    def _store_down(self) -> dict[str, Any]:
        """The Store answers nobody for four ticks."""
        estate = self.estate
        before = sorted(m.name for m in estate.cloud.living())
        epochs = {k: estate.share(k).epoch for k in (1, 2, 3)}
        calls, was = len(self.deeds()), self.beats()
        estate.store_host.partition()
        self.watch.say("   the Store is cut off from everybody")
        with self.timed() as seconds:
            self.pause(4)
            down = seconds()
        same = before == sorted(m.name for m in estate.cloud.living())
        calls = len(self.deeds()) - calls
        estate.store_host.heal()
        self.watch.say("   the Store is back")

        def beat_again() -> bool:
            now = self.beats()
            return all(now[k] > was[k] for k in was)

        with self.timed() as seconds:
            self.until(beat_again, "a heartbeat of each", 4)
            heard = seconds()
            self.until(self.at_home, "every share with its own node", 6)
            home = seconds()
        self.wish(13)
        whole = self.settled(13, 6)
        return {
            "down": down, "same": same, "deeds": calls, "heard": heard, "home": home, "whole": whole,
            "epochs": [epochs, {k: estate.share(k).epoch for k in (1, 2, 3)}],
        }  # fmt: skip

    def deeds(self) -> list[str]:
        """What the cloud was asked to do, not merely to tell."""
        ledger = self.estate.cloud.ledger
        return [f"{e.verb} {e.what}" for e in ledger if e.verb in ("create", "delete", "reboot", "label")]

    def _reboots(self) -> dict[str, Any]:
        """Each Cycle that builds or removes earns its node one; they happened all along. Here they are waited for."""
        nodes = self.estate.nodes
        self.until(lambda: all(node.own_reboots() for node in nodes), "a reboot of each node", 10)
        self.until(lambda: all(r.back is not None for r in self.watch.reboots), "all are back", 4)
        return {"count": [node.own_reboots() for node in nodes]}


def accusations(estate: Estate, name: str) -> bool:
    """Is it accused of being dead?"""
    record = estate.records().get(name)
    return record is not None and bool(record.accused)


def asked_again(estate: Estate, name: str) -> bool:
    """Did somebody write what he thinks of it?"""
    return bool(estate.store.keys(f"opinions/{name}/"))


def last_line(node: Node, verb: str, having: str) -> str:
    """The last of its log's lines on this verb that has these words."""
    lines = [line for line in node.told().splitlines() if having in line]
    return lines[-1] if lines else ""


#: In their order, and the promises (faults_table.py) that each is about.
SCENARIOS = {
    "cycle_killed": ("cycle_killed",),
    "nodes_lost": ("power_cut", "frozen"),
    "nodes_cut": ("no_store", "blind"),
    "two_off": ("two_off",),
    "all_500": ("all_500",),
    "store_down": ("store_down",),
    "reboots": ("reboots",),
}
