"""One contract for every adapter: a value, not there, cannot be asked, and lost the race are four answers."""

from __future__ import annotations

import threading

import pytest

from autoscaler.ports import LostRace, Store


def test_not_there_is_none_and_an_empty_list(store: Store) -> None:
    assert store.get("shares/1.json") is None
    assert store.keys("") == []
    assert store.keys("shares/") == []
    store.delete("shares/1.json")


def test_what_was_written_is_read_with_version_and_both_stamps(store: Store) -> None:
    written = store.create("scalingprofile/profile.cnf", b"NO_WEBSERVERS=3\n")
    found = store.get("scalingprofile/profile.cnf")
    assert found is not None
    assert (found.key, found.body) == ("scalingprofile/profile.cnf", b"NO_WEBSERVERS=3\n")
    assert found.version == written.version
    assert found.modified <= found.date
    assert abs(found.date - written.date) < 60
    assert found.date > 1_700_000_000


@pytest.mark.parametrize("body", [b"", b"\x00\xff\r\n" * 3, b"x" * 300_000])
def test_bodies_come_back_byte_for_byte(store: Store, body: bytes) -> None:
    store.put("body", body)
    found = store.get("body")
    assert found is not None
    assert found.body == body


def test_create_is_refused_when_present_and_changes_nothing(store: Store) -> None:
    store.create("a", b"first")
    with pytest.raises(LostRace, match=r"\ba\b"):
        store.create("a", b"second")
    found = store.get("a")
    assert found is not None
    assert found.body == b"first"


def test_swap_over_the_version_read_and_no_other(store: Store) -> None:
    first = store.create("a", b"1").version
    second = store.swap("a", b"2", first).version
    assert second != first
    with pytest.raises(LostRace, match=r"\ba\b"):
        store.swap("a", b"3", first)
    found = store.get("a")
    assert found is not None
    assert (found.body, found.version) == (b"2", second)
    store.swap("a", b"3", found.version)


def test_swap_of_what_is_gone_is_a_lost_race_and_makes_nothing(store: Store) -> None:
    version = store.create("a", b"1").version
    store.delete("a")
    with pytest.raises(LostRace, match="gone"):
        store.swap("a", b"2", version)
    with pytest.raises(LostRace):
        store.swap("never/was", b"2", version)
    assert store.keys("") == []


def test_create_after_delete(store: Store) -> None:
    store.create("x/a", b"1")
    store.delete("x/a")
    store.delete("x/a")
    assert store.get("x/a") is None
    store.create("x/a", b"2")


def test_put_writes_whatever_is_there(store: Store) -> None:
    first = store.put("a", b"1").version
    store.put("a", b"2")
    with pytest.raises(LostRace):
        store.swap("a", b"3", first)


def test_keys_are_sorted_complete_and_begin_so(store: Store) -> None:
    names = ["a", "ab", "opinions/ws-1/1.json", "opinions/ws-1/2.json", "opinions/ws-10/1.json", "z y/ü%2F+&=?#"]
    for name in reversed(names):
        store.put(name, name.encode())
    assert store.keys("") == sorted(names)
    assert store.keys("a") == ["a", "ab"]
    assert store.keys("opinions/ws-1/") == names[2:4]
    assert store.keys("opinions/ws-1") == names[2:5]
    assert store.keys("opinions/ws-2") == []
    assert store.keys("nothing/here/") == []
    for name in names:
        found = store.get(name)
        assert found is not None
        assert found.body == name.encode()


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../up", "a/../../b", "a/..", ".", "./a", "a//b", "a/", ".tmp/x", "a\nb", "a\0b", "x" * 201,
     "x/" * 460 + "x", "\udcff"],
)  # fmt: skip
def test_a_key_that_would_leave_the_store_is_the_callers_fault(store: Store, key: str) -> None:
    for ask in (
        lambda: store.get(key),
        lambda: store.put(key, b""),
        lambda: store.create(key, b""),
        lambda: store.swap(key, b"", "v"),
        lambda: store.delete(key),
    ):
        with pytest.raises(ValueError, match="is no key"):
            ask()


@pytest.mark.parametrize("prefix", ["../", "/", "a/../", ".tmp/"])
def test_a_prefix_that_would_leave_the_store_too(store: Store, prefix: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        store.keys(prefix)


def test_an_object_under_another_is_no_answer_of_the_other(store: Store) -> None:
    store.put("a/b", b"1")
    assert store.get("a") is None
    assert store.get("a/b/c") is None
    assert store.keys("a/b/c/") == []


def test_threads_race_and_one_wins(store: Store) -> None:
    """20 at once: create has one winner, and a counter by read and swap loses nothing."""
    if store.conditional != "yes":
        pytest.skip("compare-then-put promises nothing in a race")
    barrier, won = threading.Barrier(20), []
    store.create("counter", b"0")

    def work(number: int) -> None:
        barrier.wait()
        try:
            store.create("one", b"%d" % number)
            won.append(number)
        except LostRace:
            pass
        for _ in range(2):
            while True:
                found = store.get("counter")
                assert found is not None
                try:
                    store.swap("counter", b"%d" % (int(found.body) + 1), found.version)
                    break
                except LostRace:
                    continue

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, counter = store.get("one"), store.get("counter")
    assert one is not None
    assert counter is not None
    assert won == [int(one.body)]
    assert counter.body == b"40"
