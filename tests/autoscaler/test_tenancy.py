"""Ids mean nothing at another Provider, or in another zone: there all are "not there", and nothing may follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.book import Book, StoreClock
from autoscaler.cycle import plan_only
from autoscaler.deployment import Adapter
from autoscaler.holding import blank_share
from autoscaler.server import Traits
from autoscaler.share import Share, key_of
from autoscaler.tenancy import elsewhere, tenancy_of
from autoscaler.webserver import State
from providerscripts.servers.memory import MemoryProvider
from tests.autoscaler.test_decision import record
from tests.worlds.memory import Rig
from utilities.errors import DocumentFault


def moved(rig: Rig, name: str = "other", place: str = "") -> MemoryProvider:
    """The Deployment names another Provider from now on; the one of before goes on renting what it rents."""
    before = rig.provider
    rig.provider = MemoryProvider(rig.clock, "web", replace(before.traits, place=place), boot_delay=rig.boot)
    rig.deployment = replace(rig.deployment, provider=Adapter(name))
    return before


@pytest.mark.parametrize(("name", "place"), [("other", ""), ("memory", "zone-2")])
@pytest.mark.parametrize("wanted", [1, 3])  # of one alone no brake knows that all have gone at once
def test_nothing_is_built_or_struck_out_for_what_is_rented_elsewhere(name: str, place: str, wanted: int) -> None:
    rig = Rig(wanted=wanted)
    rig.settle()
    names = rig.up
    before = moved(rig, name, place)
    for _ in range(20):
        cycle, round = rig.cycle(once=True), rig.round()
        rig.clock.sleep(60.0)
        assert cycle.exit_code == 3
        assert f"rented at memory, and this says {name} {place}".strip() in cycle.sentence
        assert "the fleet cannot be seen" in round.sentence
    assert sorted(rig.share().records) == names
    assert [r.state for r in rig.records()] == [State.UP] * wanted
    assert rig.provider.creates.total() == 0
    assert sorted(s.name for s in before.list()) == names
    with pytest.raises(DocumentFault, match="nothing is judged"):
        plan_only(rig.world(1), rig.deployment, rig.node(1))


def test_set_back_all_goes_on() -> None:
    rig = Rig(wanted=2)
    rig.settle()
    before = moved(rig)
    assert rig.cycle().exit_code == 3
    rig.provider = before
    rig.deployment = replace(rig.deployment, provider=Adapter("memory"))
    rig.settle()
    assert len(rig.up) == 2
    assert before.creates.total() == 2


def test_without_webservers_a_share_moves_by_itself() -> None:
    rig = Rig(wanted=1)
    rig.settle()
    rig.store.put(key_of(1), rig.share().without(rig.up).body())  # each was released
    moved(rig)
    rig.settle()
    assert rig.share().tenancy == "other"
    assert len(rig.up) == 1
    assert rig.provider.creates.total() == 1


def test_a_share_of_before_this_was_written_is_rented_where_it_is_found() -> None:
    rig = Rig(wanted=1)
    rig.settle()
    rig.store.put(key_of(1), replace(rig.share(), tenancy="").body())
    rig.want(2)
    rig.settle()
    assert (rig.share().tenancy, len(rig.up)) == ("memory", 2)


def test_a_share_taken_over_stays_where_it_is_rented() -> None:
    rig = Rig(nodes=2, wanted=4)
    rig.settle()
    moved(rig)
    rig.nodes = 1  # node 2 is gone for good
    for _ in range(20):
        rig.tick()
    assert {s.tenancy for s in (rig.share(1), rig.share(2))} == {"memory"}
    assert rig.provider.creates.total() == 0


def test_a_book_never_moves_what_is_rented() -> None:
    rig = Rig(wanted=1)
    rig.settle()
    moved(rig)
    book = Book(rig.store, StoreClock(rig.clock), blank_share(rig.node(1), tenancy="other"))
    assert book.open().tenancy == "memory"
    found = rig.store.get(key_of(1))
    assert found is not None
    assert book.take(rig.share(), found.version).tenancy == "memory"
    book.change(lambda share: share.without(rig.up))
    assert book.open().tenancy == "other"


def test_a_doubt_and_one_being_removed_are_rented_too() -> None:
    doubt = Share(1, 1, tenancy="aws eu-west-1", records={"a": record(1, State.CREATING, id=None)})
    gone = Share(2, 2, tenancy="hetzner", records={"b": record(2, State.GONE)})
    assert "1 webserver on record is rented at aws eu-west-1, and this says aws eu-west-2" in elsewhere(
        [doubt, gone], "aws eu-west-2"
    )
    assert elsewhere([doubt, gone], "aws eu-west-1") == ""
    assert elsewhere([gone], "aws eu-west-1") == ""
    assert tenancy_of(Rig().deployment, Traits(place="x")) == "memory x"
