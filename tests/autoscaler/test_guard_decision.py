"""Guards of the decision that no table of test_decision.py touches alone."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.server import Server, ServerState
from autoscaler.tend import tend
from autoscaler.turn import answer
from autoscaler.webserver import State
from autoscaler.wish import Limits
from tests.autoscaler.test_decision import ME, NOW, inputs, record, share, steps
from utilities.instant import Instant


def test_an_intent_is_posted_by_its_writer_and_by_nobody_else() -> None:
    """A Cycle and a Round of one node run side by side: each sees the other's intent before it is posted."""
    theirs = record(1, State.REQUESTED, age=5, id=None, writer="1/round/3")
    assert steps(inputs(share(1, theirs), wanted=1, servers=())) == []
    ours = replace(theirs, writer=ME)
    assert steps(inputs(share(1, ours), wanted=1, servers=())) == [("create", ours.name)]


def test_a_share_removes_nothing_while_the_others_serve_too_few() -> None:
    mine = share(1, *(record(n) for n in (1, 2, 3)))
    other = share(2, *(record(n, State.BOOTING, share=2, age=60) for n in (1, 2)))
    i = inputs(mine, other, wanted=4)  # two each: ours has one too many, but three are all that serve
    assert steps(i) == []
    assert "when the other shares serve enough" in answer(i)[1].because


def test_a_share_removes_no_more_than_its_own_surplus() -> None:
    mine, other = share(1, *(record(n) for n in (1, 2, 3))), share(2, *(record(n, share=2) for n in (1, 2, 3)))
    assert len(steps(inputs(mine, other, wanted=4))) == 1


def test_deleting_is_final_whatever_the_listing_says() -> None:
    sealed = record(1, State.DELETING, asked=Instant(NOW - 10))
    shown = Server(sealed.id or "", sealed.name, ServerState.RUNNING, "10.0.0.9", pool="web")
    i = inputs(share(1, sealed), wanted=1, servers=(shown,))
    assert tend(i).records[sealed.name].state is State.DELETING
    assert ("admit", sealed.name) not in steps(i)


def test_a_pin_is_never_changed_by_a_listing() -> None:
    pinned = record(1, pin="ssh-ed25519 AAAA", address="10.0.0.1")
    moved = Server(pinned.id or "", pinned.name, ServerState.RUNNING, "10.0.0.9", pool="web", host_key="ssh-rsa BBBB")
    after = tend(inputs(share(1, pinned), servers=(moved,))).records[pinned.name]
    assert (after.address, after.pin) == ("10.0.0.9", "ssh-ed25519 AAAA")


def test_a_protected_one_is_never_a_victim_not_even_a_suspect_or_a_coming_one() -> None:
    until = Instant(NOW + 60)
    up = record(1, protected=until)
    suspect = record(2, withdrawn=True, protected=until)
    coming = record(3, State.BOOTING, age=60, protected=until)
    assert steps(inputs(share(1, up, suspect, coming), wanted=0, limits=Limits(0, 20))) == []


def test_a_stranger_with_our_label_is_counted_and_never_destroyed() -> None:
    stray = Server("id-9", "somebody", ServerState.RUNNING, "10.0.0.9", pool="web")
    i = inputs(share(1), wanted=0, limits=Limits(0, 20), servers=(stray,))
    assert i.fleet.billable == 1
    assert steps(i) == []
