"""Amending a share that somebody else holds: by compare-and-swap, and the lease stays his."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.amend import TRIES, amend, read_shares
from autoscaler.ports import StoreUnreachable
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import Record, State
from providerscripts.store.memory import MemoryStore
from tests.worlds.memory import ToldClock
from utilities.errors import AskerErred, DocumentFault, HeldElsewhere
from utilities.instant import Instant

ONE = Record("ws-web-1-0001", State.UP, Instant(1.0), Instant(1.0), id="a")
TWO = Record("ws-web-1-0002", State.UP, Instant(1.0), Instant(1.0), id="b")


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(ToldClock())
    made.create(key_of(1), Share(1, 3, epoch=7, records={ONE.name: ONE}).body())
    return made


def held(store: MemoryStore) -> Share:
    found = store.get(key_of(1))
    assert found is not None
    return read_share(found.body, "")


def protected(share: Share) -> Share:
    return share.with_records([replace(share.records[ONE.name], protected=Instant(9.0))])


def test_a_rivals_write_in_between_is_kept(store: MemoryStore) -> None:
    calls = 0

    def edit(share: Share) -> Share:
        nonlocal calls
        calls += 1
        if calls == 1:  # the node writes between our read and our swap
            store.put(key_of(1), share.with_records([TWO]).body())
        return protected(share)

    after = amend(store, 1, edit)
    assert calls == 2
    assert after == held(store)
    assert set(after.records) == {ONE.name, TWO.name}
    assert (after.holder, after.epoch) == (3, 7)


def test_beaten_each_time_it_gives_up(store: MemoryStore) -> None:
    calls = 0

    def edit(share: Share) -> Share:
        nonlocal calls
        calls += 1
        store.put(key_of(1), replace(share, serial=share.serial + 1).body())
        return protected(share)

    with pytest.raises(HeldElsewhere, match="nothing was changed"):
        amend(store, 1, edit)
    assert calls == TRIES
    assert held(store).records[ONE.name].protected is None


def test_a_lost_reply_is_found_done(store: MemoryStore) -> None:
    swap, lost = store.swap, []

    def deaf(key: str, body: bytes, version: str) -> object:
        swap(key, body, version)
        lost.append(key)
        raise StoreUnreachable("the reply was lost")

    store.swap = deaf  # type: ignore[assignment]
    assert amend(store, 1, protected).records[ONE.name].protected == 9.0
    assert len(lost) == 1  # written once


def test_the_lease_is_nobodys_to_amend(store: MemoryStore) -> None:
    with pytest.raises(ValueError, match="must not touch the lease"):
        amend(store, 1, lambda share: replace(share, holder=1))
    assert held(store).holder == 3


def test_a_share_that_is_not_there(store: MemoryStore) -> None:
    with pytest.raises(AskerErred, match=r"there is no shares/2\.json yet"):
        amend(store, 2, protected)


def test_an_unreadable_share_is_not_an_empty_one(store: MemoryStore) -> None:
    assert [s.share for s in read_shares(store)] == [1]
    store.put(key_of(2), b"{")
    with pytest.raises(DocumentFault):
        read_shares(store)
