"""Who may take a share: each line of the rules, and what holds of all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.book import Book, LeaseLost, StoreClock
from autoscaler.errand import blank_share
from autoscaler.lease import GRACE, Claim, expired, may_take
from autoscaler.share import Share, key_of
from tests.worlds.faulty_store import FaultyStore, How
from tests.worlds.memory import Rig

LENGTH = 180.0
OURS = Claim(2, 2, 3, 2, 10.0, True, 1e6, LENGTH)
THEIRS = Claim(3, 2, 3, 3, 10.0, False, 1e6, LENGTH)
OLD, FRESH = LENGTH + GRACE + 1, LENGTH + GRACE


@pytest.mark.parametrize(
    ("claim", "yes", "because"),
    [
        (replace(OURS, holder=None), True, "no document yet"),
        (replace(OURS, holder=0), True, "it is its own, and nobody holds it"),
        (replace(OURS, holder=0, watched=0.0), True, "it is its own, and nobody holds it"),
        (replace(OURS, holder=2), True, "another machine held it as this node"),
        (replace(OURS, holder=1, age=OLD), True, "the lease of node 1 ran out"),
        (replace(OURS, holder=1, age=OLD, watched=0.0), True, "the lease of node 1 ran out"),
        (replace(OURS, holder=1, age=FRESH), False, "node 1 holds it and gives it back"),
        (replace(OURS, nodes=1, holder=0), True, "it is its own, and nobody holds it"),
        (replace(THEIRS, age=OLD), True, "the lease of node 3 ran out"),
        (replace(THEIRS, age=OLD, home_heard=True), True, "the lease of node 3 ran out"),
        (replace(THEIRS, age=FRESH), False, "node 3 holds it"),
        (replace(THEIRS, holder=1, age=OLD), True, "the lease of node 1 ran out"),
        (replace(THEIRS, holder=1, age=FRESH), False, "node 1 holds it"),
        (replace(THEIRS, age=OLD, watched=LENGTH - 1), False, "has listened for 179 s of 180"),
        (replace(THEIRS, age=OLD, watched=LENGTH), True, "ran out"),
        (replace(THEIRS, holder=None), True, "nobody holds it and node 3 is not heard"),
        (replace(THEIRS, holder=0), True, "nobody holds it and node 3 is not heard"),
        (replace(THEIRS, holder=None, home_heard=True, age=OLD), False, "kept for node 3"),
        (replace(THEIRS, holder=0, home_heard=True), False, "kept for node 3"),
        (replace(THEIRS, holder=0, home_heard=True, age=OLD), True, "node 3 did not take it back"),
        (replace(THEIRS, nodes=2, age=OLD), False, "nothing is left in it"),
        (replace(THEIRS, nodes=2, age=OLD, unfinished=True), True, "ran out"),
        (replace(THEIRS, nodes=2, unfinished=True), False, "node 3 holds it"),
    ],
    ids=str,
)
def test_each_line_of_the_rules(claim: Claim, yes: bool, because: str) -> None:
    grant = may_take(claim)
    assert (grant.yes, because in grant.because) == (yes, True), grant


CLAIMS = st.builds(
    Claim,
    share=st.integers(1, 4),
    node=st.integers(1, 4),
    nodes=st.integers(1, 4),
    holder=st.none() | st.integers(0, 4),
    age=st.floats(0, 1000),
    home_heard=st.booleans(),
    watched=st.floats(0, 1000),
    length=st.just(LENGTH),
    unfinished=st.booleans(),
)


@given(CLAIMS)
def test_nobody_takes_a_share_whose_holders_lease_is_in_force(claim: Claim) -> None:
    if claim.holder and claim.holder != claim.node and not expired(claim.age, claim.length):
        assert not may_take(claim).yes


@given(CLAIMS)
def test_who_has_not_listened_takes_nobody_elses(claim: Claim) -> None:
    if claim.share != claim.node and claim.watched < claim.length:
        assert not may_take(claim).yes


@given(CLAIMS)
def test_what_waits_is_taken_by_somebody_in_the_end(claim: Claim) -> None:
    """Once it is old, its node silent and the asking one has listened, no wanted share stays without a holder."""
    wanted = claim.share <= claim.nodes or claim.unfinished or claim.share == claim.node
    if wanted:
        late = replace(claim, age=OLD, home_heard=False, watched=LENGTH)
        assert may_take(late).yes


@given(CLAIMS)
def test_each_answer_has_its_reason(claim: Claim) -> None:
    assert may_take(claim).because


def books(rig: Rig, share: int) -> list[Book]:
    return [Book(rig.store, StoreClock(rig.clock), blank_share(rig.node(k), share)) for k in (1, 2)]


@pytest.mark.parametrize("exists", [True, False])
def test_of_two_who_take_over_one_version_one_has_it(exists: bool) -> None:
    rig = Rig(nodes=3)
    before = Share(3, 3, "machine-3", epoch=4) if exists else None
    version = rig.store.put(key_of(3), before.body()).version if before is not None else ""
    first, second = books(rig, 3)
    mine = first.take(before, version)
    with pytest.raises(LeaseLost, match="faster"):
        second.take(before, version)
    assert not second.held
    assert (mine.holder, mine.epoch) == (1, 5 if exists else 1)
    assert rig.share(3) == mine


@pytest.mark.parametrize("how", [How.LOST_REPLY, How.UNREACHABLE])
def test_a_taking_whose_reply_was_lost_is_read_again(how: How) -> None:
    """It is ours if it happened; if it did not, nothing is."""
    rig = Rig(nodes=3)
    before = Share(3, 3, "machine-3", epoch=4)
    version = rig.store.put(key_of(3), before.body()).version
    store = FaultyStore(rig.store)
    store.fault(how, "swap", key_of(3), times=1)
    book = Book(store, StoreClock(rig.clock), blank_share(rig.node(1), 3))
    if how is How.LOST_REPLY:
        assert (book.take(before, version).holder, book.share.epoch) == (1, 5)
    else:
        with pytest.raises(LeaseLost):
            book.take(before, version)
        assert rig.share(3) == before


def test_the_epoch_first_seen_holds_to_the_end() -> None:
    """Lost and ours again under another epoch, by another process of this node: this one has lost it."""
    rig = Rig(nodes=3)
    rig.store.put(key_of(1), Share(1, 1, "machine-1", epoch=4).body())
    book = books(rig, 1)[0]
    assert book.open().epoch == 4
    rig.store.put(key_of(1), Share(1, 1, "machine-1", epoch=6).body())
    with pytest.raises(LeaseLost, match="at epoch 6, we are node 1 at epoch 4"):
        book.check()
    with pytest.raises(LeaseLost):
        book.change(lambda share: replace(share, desired=9))
    assert rig.share(1).desired is None


def test_renewing_is_a_write_and_only_when_it_is_due() -> None:
    rig = Rig(nodes=3)
    book = books(rig, 1)[0]
    version = book.take(None, "") and rig.store.get(key_of(1)).version  # type: ignore[union-attr]
    rig.clock.sleep(LENGTH / 2)
    book.renew(LENGTH / 2)
    assert rig.store.get(key_of(1)).version == version  # type: ignore[union-attr]
    rig.clock.sleep(1)
    book.renew(LENGTH / 2)
    found = rig.store.get(key_of(1))
    assert found is not None
    assert found.modified == rig.clock.now()
    assert rig.share(1).epoch == 1, "renewed is not taken"


def test_given_back_it_is_in_nobodys_hands_and_no_longer_ours() -> None:
    rig = Rig(nodes=3)
    book = books(rig, 3)[0]
    book.take(None, "")
    book.free()
    assert (rig.share(3).holder, rig.share(3).machine, rig.share(3).taken) == (0, "", None)
    with pytest.raises(LeaseLost, match="in nobody's hands"):
        book.check()
