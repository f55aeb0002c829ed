"""The closing table is computed from Journal entries and log lines as they are really written."""

from __future__ import annotations

from typing import Any

from helperscripts.demo.tally import read_requests, tally

HAPROXY = """\
[NOTICE]   (9945) : New worker (9953) forked
1795380772751 127.0.0.1:44490 web/<NOSRV> 503 0 SC-- 0 "GET / HTTP/1.1"
1795380780000 127.0.0.1:44491 web/ws-web-1-0001 200 2 ---- 0 "GET / HTTP/1.1"
1795380780100 127.0.0.1:44492 web/ws-web-1-0002 200 12 ---- +1 "GET / HTTP/1.1"
1795380780200 127.0.0.1:44493 web/ws-web-1-0002 500 12 ---- 0 "GET / HTTP/1.1"
1795380780300 127.0.0.1:44494 web/ws-web-1-0002 200 12 SD-- 0 "GET / HTTP/1.1"
1795380780400 127.0.0.1:44495 web/ws-web-1-0002 -1 12 CH-- 0 "GET / HTTP/1.1"
1795380780500 127.0.0.1:44496 web/ws-web-1-0002 200 12 ---- 0 "GET / HT"""


def entry(*done: dict[str, Any], listed: tuple[tuple[str, str], ...] = (), node: int = 1) -> dict[str, Any]:
    fleet = {"servers": [{"name": n, "id": i} for n, i in listed], "shares": []}
    return {"kind": "cycle", "node": node, "turns": [{"inputs": {"fleet": fleet}, "done": list(done)}]}


def done(kind: str, name: str, outcome: str = "done", **step: Any) -> dict[str, Any]:
    return {"step": {"kind": kind, "name": name, "reason": "", **step}, "outcome": outcome}


def test_the_log_of_haproxy() -> None:
    requests = read_requests(HAPROXY)
    assert [r.failed for r in requests] == [True, False, False, True, True, True]
    assert [r.repeats for r in requests] == [0, 0, 1, 0, 0, 0]


def test_built_replaced_and_removed() -> None:
    found = tally(
        [
            entry(done("create", "a", size=True), done("admit", "a"), done("create", "b", size=True)),
            entry(done("admit", "b"), node=2),
            entry(done("withdraw", "a", healing=True), done("destroy", "a", healing=True)),
            entry(done("create", "c", size=True, healing=True), done("admit", "c")),
            entry(done("withdraw", "b", size=True), done("withdraw", "d", outcome="refused", size=True)),
        ],
        [],
    )
    assert found.built == {"a", "b", "c"}
    assert found.builders == {1: 2, 2: 1}
    assert found.replaced == {"a"}
    assert found.removed == {"b"}
    assert found.doubled == frozenset()


def test_one_taken_back_while_draining_is_not_removed() -> None:
    assert tally([entry(done("withdraw", "a"))], [], standing=["a"]).removed == frozenset()


def test_a_build_that_a_killed_cycle_did_not_journal_is_seen_by_the_next() -> None:
    later = entry()
    later["turns"][0]["inputs"]["fleet"]["shares"] = [{"share": 2, "records": {"x": {"name": "x", "served": True}}}]
    found = tally([later], [])
    assert (found.built, found.builders) == ({"x"}, {2: 1})


def test_a_double_build_is_two_servers_of_one_name_or_a_name_posted_twice() -> None:
    assert tally([entry(listed=(("a", "1"),)), entry(listed=(("a", "2"),))], []).doubled == {"a"}
    assert tally([entry(done("create", "b")), entry(done("create", "b", outcome="unknown"))], []).doubled == {"b"}
    assert (
        tally([entry(done("create", "b"), listed=(("b", "1"),)), entry(listed=(("b", "1"),))], []).doubled
        == frozenset()
    )
