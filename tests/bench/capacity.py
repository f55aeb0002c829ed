"""From `adjust-scaling +15` to fifteen more webservers that visitors reach, on three nodes: seconds on a told clock.

The nodes run their real Cycles side by side as their crontabs start them: every 60 s, 10 s x ordinal after the
minute, nobody twice at once, with the Deployment's defaults. Only Provider, Store and Balancer are in memory, and the
clock is theirs: a webserver boots for 60 s, whatever this machine is busy with. The operator asks at twelve moments
of the minute; the worst of them counts. The peer, who builds one after the other, is reckoned: boot times added up.
"""

from __future__ import annotations

import heapq
import statistics
import sys
import threading
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autoscaler.deployment import Deployment
from autoscaler.wish import Limits
from tests.bench.result import Result, missed, tell
from tests.worlds.memory import START, Rig, ToldClock
from utilities.instant import Instant

NODES, MORE, BEFORE = 3, 15, 3
BOOT = 60.0
APART = 10.0  # seconds between two nodes' starts, as the crontab writes them
TICK = Deployment.tick
NOTE = (
    "an operator who asks just after a tick waits a whole one, and a Cycle looks at what boots every"
    f" {Deployment.poll:.0f} s: both come on top of the boot time"
)


class SharedClock(ToldClock):
    """Time of many actors, one of whom runs at a time: who sleeps lets the next one wake. Always in one order."""

    def __init__(self) -> None:
        super().__init__()
        self._asleep: list[tuple[float, int, threading.Event]] = []
        self._actors: set[int] = set()
        self._resting = threading.Event()
        self._turns = 0

    def sleep(self, seconds: float) -> None:
        if threading.get_ident() not in self._actors:
            super().sleep(seconds)
            return
        wake = threading.Event()
        self._turns += 1
        heapq.heappush(self._asleep, (self.time + max(0.0, seconds), self._turns, wake))
        self._resting.set()
        wake.wait()

    def play(self, *actors: Callable[[], None], until: Callable[[], bool], at_most: float) -> None:
        """Let them act until it is so. An actor's exception is raised here."""
        end = self.time + at_most
        troubles: list[BaseException] = []

        def act(actor: Callable[[], None]) -> None:
            self._actors.add(threading.get_ident())
            try:
                self.sleep(0)
                actor()
            except BaseException as err:  # noqa: BLE001  raised again below, where somebody sees it
                troubles.append(err)
            finally:
                self._resting.set()

        for actor in actors:
            self._resting.clear()
            threading.Thread(target=act, args=(actor,), daemon=True).start()
            self._resting.wait()
        while not until():
            if troubles:
                raise troubles[0]
            if not self._asleep or self.time >= end:
                raise SystemExit(f"not done after {at_most:.0f} s of the told clock")
            when, _, wake = heapq.heappop(self._asleep)
            self.time = Instant(max(when, self.time))
            self._resting.clear()
            wake.set()
            self._resting.wait()


def online_after(asked: float) -> float:
    """Seconds from the wish, said so many seconds into a minute, until all visitors can be sent to all."""
    rig = Rig(nodes=NODES, wanted=BEFORE, limits=Limits(1, 40), boot=BOOT, ssh=True)
    rig.deployment = Deployment(
        pool="web",
        provider=rig.deployment.provider,
        mode=rig.deployment.mode,
        nodes=NODES,
        limits=rig.limits,
        ladder=rig.deployment.ladder,
    )
    rig.settle()
    clock = SharedClock()
    rig.clock.sleep(TICK - (rig.clock.time - START) % TICK)
    clock.time = rig.clock.time
    rig.clock = rig.store._clock = rig.provider.clock = clock
    for machine in rig.machines.values():
        machine.clock = clock
    minute, done = clock.time, 0.0

    def node(ordinal: int) -> Callable[[], None]:
        def ticks() -> None:
            due = minute + APART * ordinal
            while True:
                clock.sleep(due - clock.time)
                rig.cycle(ordinal)
                while due <= clock.time:  # what cron fires meanwhile finds the lock taken, and ends
                    due += TICK

        return ticks

    def operator() -> None:
        clock.sleep(2 * TICK + asked)
        rig.want(BEFORE + MORE)

    def all_in() -> bool:
        nonlocal done
        done = clock.time
        return len(rig.admitted) == BEFORE + MORE

    clock.play(operator, *(node(k) for k in range(1, NODES + 1)), until=all_in, at_most=3600)
    if len(rig.alive) != BEFORE + MORE or max(rig.provider.creates.values()) > 1:
        raise SystemExit(f"{len(rig.alive)} machines were built, not {BEFORE + MORE}")
    return done - (minute + 2 * TICK + asked)


def main() -> None:
    """Print the median and the worst of the minute."""
    taken = [online_after(asked) for asked in range(1, 60, 5)]
    middle, worst = statistics.median(taken), max(taken)
    reach, sum_of_all = BOOT + TICK, MORE * BOOT
    ratio = worst / reach
    tell(
        Result(
            f"capacity online after `adjust-scaling +{MORE}` on {NODES} nodes",
            f"boot time of one webserver + one tick: {BOOT:.0f} s + {TICK:.0f} s",
            f"{worst:.0f} s at worst, {middle:.0f} s in the median of twelve moments of asking, on a told clock",
            round(ratio, 3),
            ratio <= 1,
            f"one after the other, reckoned and not run: {sum_of_all:.0f} s",
            missed(ratio - 1, NOTE),
        )
    )


if __name__ == "__main__":
    main()
