"""The simulation bites: of the guards that many nodes stand on, those that seeds reach are taken out and missed.

Each guard of the table has its scripted scenario in tests/guards besides, which fails without it: some timings are
too rare for seeds.
"""

from __future__ import annotations

import pytest

from tests.simulation.seed import play_seed
from tests.simulation.without import guards, without

MOST = 1500
"""Seeds until one must notice. With these guards out 1 in 1 to 1 in 70 does; of the dropped doubt the 693rd."""

TABLE = {
    "record before deed": ("record before deed",),
    "one post per name": ("one post per name", "one post per name, whatever the epoch"),
    "proof before a doubt is dropped": ("proof before a doubt is dropped", "a doubt is dated after its answer"),
    "tombstone": ("tombstone",),
    "epoch check": ("epoch before each deed", "epoch before an admission", "epoch fixed at first sight"),
    "look again for max": ("look again for max", "the look is taken: max"),
    "look again for the floor": ("look again for the floor", "the look is taken: floor"),
    "`out`": ("`out` before withdraw", "draining without `out` counts as up"),
    "second opinion and its nonce": ("second opinion", "nonce", "silence is not a yes"),
    "brake": ("brake", "brake: over the fleet"),
    "final `deleting`": ("`deleting` is final: not admitted", "`deleting` is final: not judged"),
    "destroy by id": ("deleting goes by id", "twins are destroyed by id"),
    "absence by 404 and lag": ("absence needs a 404 by id", "gone needs the listing's lag"),
    "labelled machines counted": ("labelled machines without record are billable",),
}

SEEN = (
    "epoch before each deed",
    "max counts every state",
    "look again for max",
    "look again for the floor",
    "absence needs a 404 by id",
    "twins are destroyed by id",
    "proof before a doubt is dropped",
)


@pytest.mark.parametrize("rule", TABLE)
def test_each_guard_of_many_nodes_is_named_and_has_its_scenario(rule: str) -> None:
    for name in TABLE[rule]:
        assert guards()[name].tests, name


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN)
def test_seeds_notice_a_guard_that_is_out(name: str) -> None:
    with without(name):
        found = next((v for seed in range(7_000, 7_000 + MOST) if (v := play_seed(seed).violations)), None)
    assert found, f"nobody missed {name!r} in {MOST} seeds"
    print(f"{name}: {found[0][:200]}")
