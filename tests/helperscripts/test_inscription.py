"""An edit of deployment.yaml goes over nothing but the version that it was made of."""

from __future__ import annotations

import pytest

from autoscaler.deployment import KEY, Deployment
from helperscripts.inscription import TRIES, edit_deployment
from providerscripts.store.memory import MemoryStore
from tests.worlds.faulty_store import FaultyStore
from tests.worlds.memory import ToldClock
from utilities.errors import DocumentFault, HeldElsewhere

START = b"pool: web\nprovider: {name: memory}\n"


@pytest.fixture
def store() -> FaultyStore:
    clock = ToldClock()
    made = FaultyStore(MemoryStore(clock), clock)
    made.inner.put(KEY, START)
    return made


def armed(text: str, before: Deployment) -> str:
    return text + "mode: production\n"


def test_what_another_writes_between_our_read_and_our_put_stays(store: FaultyStore) -> None:
    writes = [START + b"nodes: 3\n"]
    store.before = lambda verb, key: store.inner.put(KEY, writes.pop()) if verb == "swap" and writes else None
    assert edit_deployment(store, armed).nodes == 3
    assert store.inner.get(KEY).body == START + b"nodes: 3\nmode: production\n"


def test_others_who_never_stop_are_named(store: FaultyStore) -> None:
    count = iter(range(1, 99))
    store.before = lambda verb, key: store.inner.put(KEY, START + b"#" * next(count)) if verb == "swap" else None
    with pytest.raises(HeldElsewhere, match=f"changed by others {TRIES} times"):
        edit_deployment(store, armed)
    assert b"production" not in store.inner.get(KEY).body


def test_none_is_nothing_to_do_and_none_there_is_a_fault(store: FaultyStore) -> None:
    edit_deployment(store, lambda text, before: None)
    assert store.inner.get(KEY).body == START
    store.inner.delete(KEY)
    with pytest.raises(DocumentFault, match="removed meanwhile"):
        edit_deployment(store, armed)
