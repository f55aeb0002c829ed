"""How a Cycle waits for what boots: it looks at every poll, and at once at who has just begun to run."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading
from autoscaler.rung import Rung
from tests.worlds.memory import MemoryProber, Rig


def test_who_has_just_begun_to_run_is_asked_at_once() -> None:
    rig = Rig(wanted=2, boot=30.0)
    began = rig.clock.now()
    rig.cycle()
    assert len(rig.admitted) == 2
    assert rig.clock.now() - began == 30.0, "one more poll was waited for"


def test_who_runs_and_is_not_ready_is_asked_once_a_poll() -> None:
    asked: list[float] = []

    class Late(MemoryProber):
        def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
            now = rig.clock.now() - began
            asked.append(now)
            if now < 50:
                return {t.name: Reading(rung.name, Heard.SILENT, "refused") for t in targets}
            return super().ask(rung, targets, deadline)

    rig = Rig(wanted=1, boot=30.0)
    rig.prober = Late(rig.provider)
    began = rig.clock.now()
    rig.cycle()
    assert len(rig.admitted) == 1
    assert sorted(set(asked)) == [30.0, 35.0, 40.0, 45.0, 50.0]
    assert rig.clock.now() - began == 50.0
