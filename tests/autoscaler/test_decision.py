"""Decisions, from values alone: tables and properties. No port, no clock, no mock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet, Inputs, Run
from autoscaler.look import Looking, look_again
from autoscaler.plan import Kind
from autoscaler.saying import said
from autoscaler.server import Server, ServerState, Traits
from autoscaler.share import Brake, Breaker, Share, divide
from autoscaler.switch import Kind as Off
from autoscaler.switch import Switch
from autoscaler.tend import tend
from autoscaler.turn import answer
from autoscaler.webserver import Record, State, name_of, parse_name
from autoscaler.wish import Limits
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

NOW = Instant(1_800_000_000.0)
ME = "1/cycle/7"


def record(serial: int, state: State = State.UP, share: int = 1, age: float = 3600.0, **more: object) -> Record:
    name = name_of("web", share, serial)
    since = Instant(NOW - age)
    served = state in (State.UP, State.DRAINING)
    return replace(Record(name, state, since, since, id=f"id-{share}-{serial}", served=served), **more)  # type: ignore[arg-type]


def share(k: int, *records: Record, **more: object) -> Share:
    mine = Share(k, k, serial=100).with_records(records)
    return replace(mine, **more)  # type: ignore[arg-type]


def listing(*shares: Share) -> tuple[Server, ...]:
    return tuple(
        Server(r.id, r.name, ServerState.RUNNING, "10.0.0.1", pool="web")
        for s in shares
        for r in s.records.values()
        if r.id is not None and r.billable
    )


def inputs(
    *shares: Share, wanted: int | None = 1, servers: tuple[Server, ...] | None = None, **more: object
) -> Inputs:
    fleet = Fleet(NOW, 1, shares, listing(*shares) if servers is None else servers)
    plain: dict[str, object] = {
        "nodes": len(shares),
        "limits": Limits(),
        "rules": Rules(removals_per_cycle=1.0, removals=100),
        "traits": Traits(),
        "runs": {"1/cycle": Run(7, NOW)},
        "reboot": "not in this test",
    }
    return Inputs(fleet, 1, ME, "web", wanted, f"{wanted} wanted", **(plain | more))  # type: ignore[arg-type]


def steps(i: Inputs) -> list[tuple[str, str]]:
    return [(s.kind.value, s.name) for s in answer(i)[1].steps]


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [(15, 3, [5, 5, 5]), (10, 3, [4, 3, 3]), (17, 3, [6, 6, 5]), (2, 3, [1, 1, 0]), (0, 2, [0, 0]), (7, 1, [7])],
)
def test_15_over_3_is_5_5_5_and_10_over_3_is_4_3_3(total: int, parts: int, expected: list[int]) -> None:
    assert divide(total, parts) == expected


@given(st.integers(0, 10_000), st.integers(1, 99))
def test_shares_sum_to_the_total_and_differ_by_one_at_most(total: int, parts: int) -> None:
    shares = divide(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


def test_names_are_whole_and_anchored() -> None:
    assert parse_name("ws-web-1-0001") == ("web", 1, 1)
    for foreign in ("ws-web-1-0001x", "xws-web-1-0001", "ws-web-01-0001", "ws-web-1-001", "ws-web-1-0001\n"):
        assert parse_name(foreign) is None
    with pytest.raises(ValueError, match="no webserver's name"):
        name_of("a-b", 1, 1)


def test_nothing_to_do_has_a_reason() -> None:
    plan = answer(inputs(share(1, record(1)), wanted=1))[1]
    assert plan.steps == ()
    assert "nothing to do" in plan.because


def test_it_builds_what_lacks_and_counts_what_is_coming() -> None:
    mine = share(1, record(1), record(2, State.BOOTING, age=60), record(3, State.CREATING, age=10))
    assert steps(inputs(mine, wanted=5)) == [("create", "ws-web-1-0100"), ("create", "ws-web-1-0101")]


def test_max_bounds_everything_that_may_cost_money() -> None:
    dead = record(2, State.FAILED, served=True)
    stray = Server("x", "somebody", ServerState.RUNNING, pool="web")
    mine, other = share(1, record(1), dead), share(2, record(1, share=2))
    i = inputs(mine, other, wanted=10, servers=(*listing(mine, other), stray), limits=Limits(1, 5))
    plan = answer(i)[1]
    assert len(plan.of(Kind.CREATE)) == 1  # 5 less up, failed, the other's, and the stray one
    assert "max is 5" in plan.because


def test_the_newest_goes_first_the_suspect_before_it_the_protected_never() -> None:
    old, new = record(1, age=9000), record(2, age=60)
    guarded = record(3, age=10, protected=Instant(NOW + 60))
    ill = record(4, age=8000, withdrawn=True, strikes=1)
    assert steps(inputs(share(1, old, new, guarded), wanted=1)) == [("withdraw", new.name), ("withdraw", old.name)]
    assert steps(inputs(share(1, old, new, ill), wanted=2)) == [("withdraw", ill.name)]


def test_half_a_share_a_cycle_and_ten_in_ten_minutes() -> None:
    mine = share(1, *(record(n) for n in range(1, 9)))
    rules = Rules()
    assert len(steps(inputs(mine, wanted=0, limits=Limits(0, 20), rules=rules))) == 4
    assert len(steps(inputs(share(1, record(1)), wanted=0, limits=Limits(0, 20), rules=rules))) == 1
    gone = share(2, removals=tuple(Instant(NOW - 60) for _ in range(9)))
    i = inputs(mine, gone, wanted=0, limits=Limits(0, 20), rules=rules)
    assert len(steps(i)) == 1
    assert "10 fleet-wide" in answer(i)[1].because
    late = share(2, removals=tuple(Instant(NOW - 601) for _ in range(9)))
    assert len(steps(inputs(mine, late, wanted=0, limits=Limits(0, 20), rules=rules))) == 4


def test_an_upturn_takes_a_draining_one_back_before_building() -> None:
    mine = share(1, record(1), record(2, State.DRAINING, out=NOW), record(3, State.DRAINING, out=NOW))
    assert steps(inputs(mine, wanted=2)) == [("withdraw", "ws-web-1-0003"), ("admit", "ws-web-1-0002")]
    tended, plan = answer(inputs(mine, wanted=2))
    after = said(plan, tended)
    assert after.records["ws-web-1-0002"].state is State.UP
    assert after.records["ws-web-1-0002"].out is None


def test_a_removal_that_was_never_made_sure_is_up_again() -> None:
    tended, plan = answer(inputs(share(1, record(1, State.DRAINING)), wanted=1))
    assert plan.steps == ()
    assert said(plan, tended).records["ws-web-1-0001"].state is State.UP


def test_replacement_first_removal_second_where_max_allows() -> None:
    dead = record(2, State.FAILED, served=True)
    assert steps(inputs(share(1, record(1), dead), wanted=2)) == [("create", "ws-web-1-0100")]
    coming = record(3, State.BOOTING, age=60)
    assert steps(inputs(share(1, record(1), dead, coming), wanted=2)) == []
    assert steps(inputs(share(1, record(1), record(3), dead), wanted=2)) == [("destroy", dead.name)]
    assert steps(inputs(share(1, record(1), dead), wanted=2, limits=Limits(1, 2))) == [("destroy", dead.name)]


def test_what_never_served_goes_at_once_and_beside_the_limits_on_removals() -> None:
    stillborn = [record(n, State.FAILED, served=False) for n in (2, 3, 4)]
    i = inputs(share(1, record(1), *stillborn), wanted=1, rules=Rules(removals=1))
    assert steps(i) == [("destroy", r.name) for r in stillborn]


def test_the_breaker_stops_builds_then_allows_one_try() -> None:
    opened = Breaker(3, Instant(NOW - 60))
    i = inputs(share(1, breaker=opened), wanted=3)
    assert steps(i) == []
    assert "in a row came to nothing" in answer(i)[1].because
    later = Breaker(3, Instant(NOW - 901))
    assert len(steps(inputs(share(1, breaker=later), wanted=3))) == 1
    trying = share(1, record(1, State.BOOTING, age=30), breaker=later)
    assert steps(inputs(trying, wanted=3)) == []


def test_overdue_builds_fail_and_trip_the_breaker() -> None:
    mine = share(1, *(record(n, State.BOOTING, age=1300, lacking=True) for n in (1, 2, 3)))
    after = tend(inputs(mine, wanted=3))
    assert {r.state for r in after.records.values()} == {State.FAILED}
    assert after.breaker.opened == NOW


def test_an_overdue_build_that_nobody_could_ask_is_not_convicted() -> None:
    mine = share(1, record(1, State.BOOTING, age=1300))
    assert tend(inputs(mine)).records["ws-web-1-0001"].state is State.BOOTING


def test_what_is_one_too_many_is_not_admitted_first() -> None:
    mine = share(1, record(1), record(2, State.READY, age=30))
    assert steps(inputs(mine, wanted=1)) == [("destroy", "ws-web-1-0002")]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ({Off.ALL}, []),
        ({Off.SCALEUP}, [("destroy", "ws-web-1-0002")]),
        ({Off.REPLACE}, [("create", "ws-web-1-0100")]),
    ],
)
def test_the_kill_switch_forbids_by_kind_and_says_so(off: set[Off], left: list[tuple[str, str]]) -> None:
    stillborn = record(2, State.FAILED, served=False)
    i = inputs(share(1, record(1), stillborn), wanted=2, switch=Switch(frozenset(off), who="ann", why="release"))
    assert steps(i) == left
    assert "release" in answer(i)[1].because


def test_behind_the_brake_capacity_is_built_within_max() -> None:
    mine = share(1, *(record(n) for n in (1, 2, 3)), brake=Brake(NOW, 2, 3, mine=2))
    assert len(steps(inputs(mine, wanted=3))) == 2
    assert len(steps(inputs(mine, wanted=3, limits=Limits(1, 4)))) == 1
    assert steps(inputs(mine, wanted=1)) == []


# Doubt


def test_a_doubtful_create_is_adopted_when_it_shows_and_lapses_only_after_proof() -> None:
    doubt = record(1, State.CREATING, age=60, id=None, left=Instant(NOW - 60))
    shown = Server("id-9", doubt.name, ServerState.RUNNING, "10.0.0.9", pool="web")
    assert tend(inputs(share(1, doubt), servers=(shown,))).records[doubt.name].id == "id-9"
    assert tend(inputs(share(1, doubt), servers=())).records[doubt.name].state is State.CREATING
    long = replace(doubt, left=Instant(NOW - 126))
    assert tend(inputs(share(1, long), servers=())).records[doubt.name].state is State.LAPSED
    assert share(1, doubt).billable == 1
    assert share(1, replace(doubt, state=State.LAPSED)).billable == 0


def test_a_tombstone_that_appears_is_destroyed_never_admitted() -> None:
    lapsed = record(1, State.LAPSED, id=None)
    late = Server("id-9", lapsed.name, ServerState.RUNNING, "10.0.0.9", pool="web")
    i = inputs(share(1, lapsed, record(2)), servers=(late, *listing(share(1, record(2)))), wanted=1)
    assert steps(i) == [("destroy", lapsed.name)]
    assert tend(i).records[lapsed.name].id == "id-9"


def test_an_intent_of_a_dead_process_is_in_doubt_of_a_living_one_untouched() -> None:
    intent = record(1, State.REQUESTED, age=5, id=None, writer="1/cycle/6")
    assert tend(inputs(share(1, intent), servers=())).records[intent.name].left == NOW
    mine = replace(intent, writer=ME)
    assert tend(inputs(share(1, mine), servers=())).records[intent.name] == mine
    rounds = replace(intent, writer="1/round/3")
    assert tend(inputs(share(1, rounds), servers=())).records[intent.name] == rounds


def test_of_two_servers_of_one_name_the_other_is_destroyed_by_its_id() -> None:
    bound = record(1)
    twin = Server("id-twin", bound.name, ServerState.RUNNING, "10.0.0.9", pool="web")
    i = inputs(share(1, bound), servers=(*listing(share(1, bound)), twin), wanted=1)
    plan = answer(i)[1]
    assert [(s.kind, s.id) for s in plan.steps] == [(Kind.DESTROY, "id-twin")]
    assert said(plan, i).records[bound.name].state is State.UP


def test_a_listing_that_lacks_a_healthy_one_proves_nothing_a_404_does() -> None:
    up = record(1)
    i = inputs(share(1, up), servers=(), wanted=1)
    assert tend(i).records[up.name] == up
    proved = replace(i, fleet=replace(i.fleet, absent=(up.id or "",)))
    assert tend(proved).records[up.name] == up  # all of this share at once, and it serves: another account's word
    struck = replace(up, strikes=1)
    ill = inputs(share(1, struck), servers=(), wanted=1)
    gone = replace(ill, fleet=replace(ill.fleet, absent=(up.id or "",)))
    assert tend(gone).records[up.name].state is State.GONE
    others = [record(n) for n in (2, 3, 4)]
    many = inputs(share(1, up, *others), servers=listing(share(1, *others)), wanted=4)
    one = replace(many, fleet=replace(many.fleet, absent=(up.id or "",)))
    assert tend(one).records[up.name].state is State.GONE


def test_a_destroy_is_believed_a_listing_lag_after_its_answer_and_asked_again_when_it_stays() -> None:
    leaving = record(1, State.DELETING, asked=Instant(NOW - 10))
    i = inputs(share(1, leaving), servers=(), wanted=0, limits=Limits(0, 20))
    absent = replace(i, fleet=replace(i.fleet, absent=("id-1-1",)))
    assert tend(absent).records[leaving.name].state is State.DELETING
    later = replace(absent, fleet=replace(absent.fleet, at=Instant(NOW + 55)))
    assert tend(later).records[leaving.name].state is State.GONE
    stuck = inputs(share(1, replace(leaving, asked=Instant(NOW - 200))), wanted=0, limits=Limits(0, 20))
    assert steps(stuck) == [("destroy", leaving.name)]


def test_nothing_is_built_while_the_listing_shows_names_that_this_share_has_not_come_to() -> None:
    """Another Store with this pool, or a share document that was lost: each would destroy the other's namesakes."""
    seen = Server("id-9", "ws-web-1-0041", ServerState.RUNNING, "10.0.0.9", pool="web")
    for serial, built in ((1, 0), (41, 0), (42, 2)):
        i = inputs(Share(1, 1, serial=serial), wanted=2, servers=(seen,))
        assert len(steps(i)) == built
        assert ("choose another pool" in answer(i)[1].because) is (built == 0)
        assert i.fleet.billable == 1
    for name in ("ws-web-2-0041", "ws-shop-1-0041", "ws-web-1-0041x"):
        i = inputs(Share(1, 1), wanted=2, servers=(replace(seen, name=name),))
        assert len(steps(i)) == 2


def test_the_name_of_an_adopted_one_is_never_given_again() -> None:
    mine = share(1, record(41, adopted=True))
    assert steps(inputs(replace(mine, serial=41), wanted=2)) == [("create", "ws-web-1-0042")]


# Look again


def test_the_look_strikes_the_newest_intents_over_max() -> None:
    mine = share(1, record(1), *(record(n, State.REQUESTED, id=None, writer=ME) for n in (2, 3)))
    other = share(2, record(1, share=2), record(2, State.REQUESTED, share=2, id=None, writer="2/cycle/1"))
    fleet = Fleet(NOW, 1, (mine, other), listing(mine, other))
    seen = look_again(Looking(fleet, ME, (), (), 9, 4, NOW, Rules()))
    assert seen.struck == ("ws-web-1-0003",)
    assert "ws-web-1-0003" not in seen.share.records


def test_the_look_returns_removals_below_the_floor_and_seals_the_others() -> None:
    mine = share(1, *(record(n, State.DRAINING) for n in (1, 2)), record(3))
    other = share(2, record(1, State.DRAINING, share=2))  # somebody else's unsure removal is no support
    fleet = Fleet(NOW, 1, (mine, other), ())
    seen = look_again(Looking(fleet, ME, ("ws-web-1-0001", "ws-web-1-0002"), (), 2, 20, NOW, Rules()))
    assert (seen.returned, seen.sure) == (("ws-web-1-0002",), ("ws-web-1-0001",))
    assert seen.share.records["ws-web-1-0001"].out == NOW
    assert seen.share.removals == (NOW,)


_STATES = st.sampled_from([State.UP, State.BOOTING, State.REQUESTED, State.DRAINING, State.FAILED, State.GONE])


@st.composite
def _shares(draw: st.DrawFn) -> tuple[Share, ...]:
    out = []
    for k in range(1, draw(st.integers(1, 4)) + 1):
        states = draw(st.lists(_STATES, max_size=8))
        out.append(share(k, *(record(n, s, share=k) for n, s in enumerate(states, 1))))
    return tuple(out)


@settings(max_examples=300, deadline=None)
@given(_shares(), st.integers(0, 25), st.integers(1, 20))
def test_no_plan_exceeds_max_or_breaks_the_floor(shares: tuple[Share, ...], wanted: int, most: int) -> None:
    i = inputs(*shares, wanted=wanted, limits=Limits(0, most))
    tended, plan = answer(i)
    before = tended.fleet.billable
    assert before + len(plan.of(Kind.CREATE)) <= max(most, before)
    after = said(plan, tended)
    removals = [s for s in plan.of(Kind.WITHDRAW) if shares[0].records[s.name].out is None]
    up = sum(s.up for s in shares)
    if removals:
        assert up - len(removals) >= wanted
    assert len({s.name for s in plan.of(Kind.CREATE)} & set(shares[0].records)) == 0
    again = replace(tended, fleet=tended.fleet.seeing(after))
    twice = [s for s in answer(again)[1].of(Kind.CREATE) if s.name not in after.records]
    assert not twice, "asked twice, built twice"


@settings(max_examples=100, deadline=None)
@given(_shares(), st.integers(0, 25))
def test_inputs_survive_the_journal_and_decide_the_same(shares: tuple[Share, ...], wanted: int) -> None:
    i = inputs(*shares, wanted=wanted)
    back = from_plain(Inputs, to_plain(i))
    assert answer(back)[1] == answer(i)[1]
