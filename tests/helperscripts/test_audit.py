"""audit: every kind of finding, its cost and its way out; nothing is concluded from what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import BalancerUnreachable, Member, ProviderUnreachable
from autoscaler.server import Leftover, Order, Price
from autoscaler.share import key_of
from autoscaler.webserver import Record, State
from autoscaler.wish import Limits
from helperscripts.ask import Ask
from providerscripts.servers.faults import Fault
from tests.helperscripts.desk import Said, at_rig, call
from tests.worlds.memory import Rig
from utilities.instant import Instant


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Two nodes, a webserver each, all well; a vendor that tells the price of its size `small`."""
    made = Rig(nodes=2, wanted=2, limits=Limits(max=6))
    made.deployment = replace(made.deployment, server={"size": "small", "region": "fra"})
    at_rig(made, monkeypatch, tmp_path)
    made.settle()
    assert len(made.up) == 2
    made.clock.sleep(3600)

    def price(size: str, region: str) -> Price | None:
        return Price(0.01, "EUR", 5.0) if size == "small" else None

    monkeypatch.setattr(made.provider, "price", price)
    return made


def amended(rig: Rig, share: int, *records: Record) -> None:
    rig.store.put(key_of(share), rig.share(share).with_records(records).body())


def changed(rig: Rig, name: str, **changes: Any) -> Record:
    share = next(s for s in rig.shares() if name in s.records)
    record = replace(share.records[name], **changes)
    amended(rig, share.share, record)
    return record


def doubtful(rig: Rig, share: int = 1, serial: int = 900, **changes: Any) -> Record:
    """A create whose answer was lost a moment ago."""
    now = rig.clock.now()
    record = Record(
        f"ws-web-{share}-{serial:04d}", State.CREATING, now, now, writer=f"{share}/cycle/1", left=now,
        reason="in doubt: create: HTTP 503, the answer is lost",
    )
    record = replace(record, **changes)
    amended(rig, share, record)
    return record


def found(said: Said, kind: str = "") -> list[dict[str, Any]]:
    return [one for one in said.json["findings"] if not kind or one["kind"] == kind]


def only(rig: Rig) -> dict[str, Any]:
    """The one finding there is."""
    said = call("audit", "--json")
    assert said.code == 0, said.err
    assert said.json["complete"] is True
    [one] = found(said)
    return one


def test_all_is_well_in_one_sentence_and_nothing_is_written(rig: Rig) -> None:
    before = dict(rig.store._objects)
    said = call("audit")
    assert (said.code, said.err) == (0, "")
    assert said.out == "Nothing is found: 2 servers bear our label, and each has its record\n"
    assert rig.store._objects == before
    assert call("audit", "--check").out.startswith("OK: Nothing is found")


# --- what bears our label and has no record ---


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("strange", "made by hand, or by another program with this label"),
        ("ws-web-2-0000", "share 2 once gave this name: released, or its record was lost"),
        ("ws-web-2-9000", "share 2 has not come to this name yet: made by hand, or from another Store"),
        ("ws-web-9-0001", "its name is one of share 9, which has no document: from another Store, or it was lost"),
        ("ws-shop-1-0001", "made by hand, or by another program with this label"),
    ],
)
def test_a_server_without_a_record_is_told_with_who_could_have_made_it(rig: Rig, name: str, maker: str) -> None:
    machine = rig.provider.add(name, "web")
    rig.clock.sleep(7200)
    one = only(rig)
    assert (one["kind"], one["name"], one["id"], one["age"]) == ("no record", name, machine.id, 7200)
    assert one["address"] == machine.address
    assert maker in one["told"]
    assert one["do"] == f"`autoscaler adopt {name}`, or delete it at the provider"
    assert one["month"] is None  # it bears no size: unknown is not 0
    said = call("audit")
    assert "1 found: 1 no record; the price of 1 is not known" in said.out
    assert f"no record: {name}, price unknown: bears our label" in said.out


def test_the_way_out_it_names_is_one(rig: Rig) -> None:
    rig.provider.add("strange", "web")
    assert call(*only(rig)["do"].split("`")[1].split()[1:]).code == 0
    assert call("audit", "--json").json["findings"] == []


def test_prices_are_told_and_summed_and_the_unknown_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        rig.provider.add(name, "web")
    rig.provider.add("three", "web")
    sized = rig.provider.list

    def listing(everything: bool = False) -> Any:
        sizes = {"one": "small", "two": "small"}
        return tuple(replace(s, size=sizes.get(s.name, "huge"), region="fra") for s in sized(everything))

    monkeypatch.setattr(rig.provider, "list", listing)
    said = call("audit", "--json")
    assert {one["name"]: (one["month"], one["currency"]) for one in found(said)} == {
        "one": (5.0, "EUR"), "two": (5.0, "EUR"), "three": (None, ""),
    }
    assert said.json["month"] == {"EUR": 10.0}
    assert said.json["unpriced"] == ["three"]
    assert "about 10.00 EUR a month, and 1 whose price is not known" in said.json["sentence"]


def test_an_hour_counts_730_times_where_there_is_no_price_by_the_month(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.provider, "price", lambda size, region: Price(0.01, "USD"))
    doubtful(rig)
    assert only(rig)["month"] == pytest.approx(7.3)


def test_a_price_that_cannot_be_asked_is_unknown_and_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def price(size: str, region: str) -> None:
        raise ProviderUnreachable("price: HTTP 503")

    monkeypatch.setattr(rig.provider, "price", price)
    doubtful(rig)
    assert only(rig)["month"] is None
    assert "note: the price of small in fra cannot be told: price: HTTP 503" in call("audit").out


# --- what is recorded and has no server ---


def test_one_that_vanished_is_gone_for_certain_and_costs_nothing(rig: Rig) -> None:
    name = rig.up[0]
    rig.provider.vanish(name)
    assert "not believed before a round finds it failing" in only(rig)["told"]
    struck = replace(rig.share().records[name], strikes=1)  # which a Round does, and takes it out at once
    rig.store.put(key_of(1), rig.share().with_records([struck]).body())
    one = only(rig)
    assert (one["kind"], one["name"], one["month"]) == ("no server", name, 0.0)
    assert one["told"] == "is up, and gone for certain"
    assert one["do"] == "nothing: the next cycle on share 1 strikes it out"
    rig.settle()
    assert found(call("audit", "--json")) == []


def test_one_that_cannot_be_asked_for_is_unknown(rig: Rig) -> None:
    rig.provider.vanish(rig.up[0])
    rig.provider.next("get", Fault.UNREACHABLE)
    said = call("audit", "--json")
    assert said.code == 4
    assert said.json["complete"] is False
    [one] = found(said)
    assert "whether it is gone is unknown: get: connection refused" in one["told"]
    assert one["month"] == 5.0  # as it may cost


def test_one_whose_label_was_taken_off_is_found_by_its_id(rig: Rig) -> None:
    machine = rig.provider.machine(rig.up[1])
    assert machine is not None
    machine.pool = None
    one = only(rig)
    assert one["told"] == "exists (running) without our label: the listing lacks it"
    assert one["do"] == "label it `autoscaler-pool` = `web` at the provider"


def test_too_many_that_vanish_at_once_are_not_believed(rig: Rig) -> None:
    rig.want(6)
    rig.settle()
    rig.clock.sleep(3600)
    for name in rig.up:
        rig.provider.vanish(name)
    said = call("audit", "--json")
    assert len(found(said)) == 6
    for one in found(said):
        assert "not believed before a round" in one["told"]
        assert "right account and project" in one["do"]


def test_a_doubtful_create_is_told_with_until_when_it_counts(rig: Rig) -> None:
    record = doubtful(rig)
    one = only(rig)
    assert (one["kind"], one["name"], one["month"]) == ("doubt", record.name, 5.0)
    assert "create: HTTP 503, the answer is lost" in one["told"]
    assert one["do"].startswith("it counts until ")
    assert f"`autoscaler audit --settle {record.name}`" in one["do"]
    rig.clock.sleep(rig.provider.traits.settle + 1)
    assert only(rig)["do"].startswith("its time is over, then the next cycle on share 1 gives it up")
    rig.tick()
    assert rig.share(1).records[record.name].state is State.LAPSED  # as it said
    assert found(call("audit", "--json")) == []


def test_a_name_nobody_has_said_the_end_of_is_told_when_it_is_old(rig: Rig) -> None:
    record = doubtful(rig, state=State.REQUESTED, left=None, reason="")
    assert found(call("audit", "--json")) == []  # it is just being made
    rig.clock.sleep(300)
    one = only(rig)
    assert (one["kind"], one["name"]) == ("doubt", record.name)
    assert "it counts until node 1 runs again" in one["do"]


def test_what_is_under_way_is_no_finding(rig: Rig) -> None:
    rig.want(6)
    for _ in range(6):
        rig.tick(seconds=7)
        assert found(call("audit", "--json")) == []
    rig.want(2)
    for _ in range(8):
        rig.tick(seconds=7)
        assert found(call("audit", "--json")) == []


def test_one_that_is_made_while_we_read_is_no_stranger(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node says and builds it between our two looks, whichever comes first."""
    listing, get = rig.provider.list, rig.store.get
    asked: list[str] = []

    def build(what: str) -> None:
        if what in asked:
            return
        asked.append(what)
        if len(asked) == 2:
            rig.want(3)
            rig.cycle(1, once=True)

    def listed(everything: bool = False) -> Any:
        build("list")
        return listing(everything)

    def read(key: str) -> Any:
        if key.startswith("shares/"):
            build("shares")
        return get(key)

    monkeypatch.setattr(rig.provider, "list", listed)
    monkeypatch.setattr(rig.store, "get", read)
    assert found(call("audit", "--json")) == []
    assert len(rig.alive) == 3


# --- what exists twice, or came back ---


def test_a_second_one_of_a_name_is_told_and_the_next_cycle_destroys_it(rig: Rig) -> None:
    name = rig.up[0]
    second = rig.provider.add(name, "web")
    one = only(rig)
    assert (one["kind"], one["name"], one["id"]) == ("twice", name, second.id)
    assert one["do"] == "nothing: the next cycle on share 1 destroys it"
    rig.settle()
    assert rig.provider.deletes[second.id]
    assert found(call("audit", "--json")) == []


def test_of_two_that_a_doubtful_create_made_the_younger_is_one_too_many(rig: Rig) -> None:
    record = doubtful(rig)
    rig.provider.add(record.name, "web")
    rig.clock.sleep(5)
    second = rig.provider.add(record.name, "web")
    one = only(rig)
    assert (one["kind"], one["id"]) == ("twice", second.id)


def test_a_given_up_name_that_appeared_is_told_and_the_next_cycle_destroys_it(rig: Rig) -> None:
    record = doubtful(rig, state=State.LAPSED)
    late = rig.provider.add(record.name, "web")
    one = only(rig)
    assert (one["kind"], one["id"]) == ("came back", late.id)
    rig.settle()
    assert rig.provider.deletes[late.id]


# --- leftovers ---


def test_leftovers_are_told_with_what_they_cost(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    left = (Leftover("volume", "vol-1", "data", 2.5, "EUR", "25 GB"), Leftover("address", "192.0.2.9"))
    monkeypatch.setattr(rig.provider, "leftovers", lambda: left)
    said = call("audit")
    assert said.code == 0
    assert "leftover: data, 2.50 EUR a month: a volume of ours that belongs to no server (25 GB) (id" in said.out
    assert "leftover: 192.0.2.9, price unknown: an address of ours that belongs to no server. Do:" in said.out
    assert "about 2.50 EUR a month, and 1 whose price is not known" in said.out


# --- balancers ---


def test_a_member_nobody_calls_up_is_told(rig: Rig) -> None:
    rig.balancer.admit(Member("ws-web-1-0777", "192.0.2.77", 80))
    rig.balancer.admit(Member("hand-made", "192.0.2.78", 80))
    said = call("audit", "--json")
    ours, theirs = sorted(found(said, "balancer"), key=lambda one: one["name"], reverse=True)
    assert ours["told"] == "memory sends visitors there, and no record has it, nor has any server of ours"
    assert ours["do"] == "nothing: the next round here withdraws it"
    assert theirs["do"] == "take it out of memory by hand"
    assert {one["month"] for one in (ours, theirs)} == {0.0}
    rig.round(1)
    assert [one["name"] for one in found(call("audit", "--json"))] == ["hand-made"]


def test_a_member_that_a_server_without_a_record_has_is_told_as_such(rig: Rig) -> None:
    machine = rig.provider.add("strange", "web")
    assert machine.address
    rig.balancer.admit(Member("strange", machine.address, 80))
    [one] = found(call("audit", "--json"), "balancer")
    assert f"a server has: id {machine.id}" in one["told"]


def test_an_address_of_an_up_one_is_no_stranger_under_whatever_name(rig: Rig) -> None:
    """As of DNS, whose entries are addresses."""
    [member] = [m for m in rig.balancer.admitted() if m.name == rig.up[0]]
    rig.balancer._admitted.clear()
    rig.balancer.admit(replace(member, name="address-1"))
    [one] = found(call("audit", "--json"))
    assert (one["name"], one["told"]) == (rig.up[1], "is up, and memory lacks it")


def test_one_that_is_up_and_missing_is_told(rig: Rig) -> None:
    name = rig.up[1]
    rig.balancer.withdraw(name, 1)
    one = only(rig)
    assert (one["kind"], one["name"], one["told"]) == ("balancer", name, "is up, and memory lacks it")
    rig.round(1)
    assert found(call("audit", "--json")) == []


def test_one_that_should_have_no_visitors_and_has_is_told(rig: Rig) -> None:
    changed(rig, rig.up[0], withdrawn=True)
    one = only(rig)
    assert one["told"] == "is suspect, and memory still sends visitors there"


# --- what cannot be read ---


def test_a_listing_that_fails_concludes_nothing_and_the_other_parts_are_told(rig: Rig) -> None:
    rig.provider.add("strange", "web")
    rig.provider.vanish(rig.up[0])
    record = doubtful(rig)
    rig.balancer.admit(Member("ws-web-1-0777", "192.0.2.77", 80))
    rig.provider.next("list", Fault.AUTH)
    said = call("audit", "--json")
    assert said.code == 4
    assert said.json["complete"] is False
    assert said.json["reasons"] == [
        "the provider's servers cannot be told: list: these credentials are refused (scripted)"
    ]
    assert [(one["kind"], one["name"]) for one in found(said)] == [
        ("doubt", record.name), ("balancer", "ws-web-1-0777"),
    ]
    assert found(said)[1]["told"] == "memory sends visitors there, and no record has it"
    rig.provider.next("list", Fault.AUTH, times=2)
    said = call("audit")
    assert said.code == 4
    first = said.out.splitlines()[0]
    why = "the provider's servers cannot be told: list: these credentials are refused (scripted)"
    assert first.startswith(
        f"Nothing can be concluded of what is rented: {why}; in what could be read 2 found: 1 doubt, 1 balancer"
    )
    assert said.out.count(why) == 1
    assert call("audit", "--check").code == 3


def test_a_share_that_cannot_be_read_calls_nobody_unknown(rig: Rig) -> None:
    rig.store.put(key_of(2), b"{")
    said = call("audit", "--json")
    assert said.code == 4
    assert found(said) == []  # share 2's webserver and its entry in the balancer are no strangers
    assert "which servers shares/2.json knows cannot be told" in said.json["reasons"][0]
    sentence = said.json["sentence"]
    assert sentence.startswith("Not all is known; in what could be read nothing is found: 2 servers bear")


def test_a_balancer_that_is_silent_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise BalancerUnreachable("haproxy: no answer on its socket")

    monkeypatch.setattr(rig.balancer, "admitted", silent)
    rig.provider.add("strange", "web")
    said = call("audit", "--json")
    assert said.code == 4
    assert said.json["reasons"] == ["balancer memory cannot be told: haproxy: no answer on its socket"]
    assert [one["kind"] for one in found(said)] == ["no record"]


def test_leftovers_that_cannot_be_read_are_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise ProviderUnreachable("volumes: HTTP 403")

    monkeypatch.setattr(rig.provider, "leftovers", silent)
    said = call("audit")
    assert said.code == 4
    assert "not known: what is left over at the provider cannot be told: volumes: HTTP 403" in said.out


def test_check_answers_as_monitoring_wants_it(rig: Rig) -> None:
    assert call("audit", "--check").code == 0
    rig.provider.add("strange", "web")
    said = call("audit", "--check")
    assert (said.code, len(said.out.splitlines())) == (1, 1)
    assert said.out.startswith("WARNING: 1 found: 1 no record")


# --- settle ---


def test_a_doubt_is_settled_by_the_operators_word_and_the_name_stays_as_a_tombstone(rig: Rig) -> None:
    record = doubtful(rig)
    lease = (rig.share(1).holder, rig.share(1).epoch)
    said = call("audit", "--settle", record.name, "--yes", "--json")
    assert said.code == 0, said.err
    assert (said.json["written"], said.json["share"]) == (True, 1)
    after = rig.share(1).records[record.name]
    assert after.state is State.LAPSED
    assert "settled by alice@" in after.reason
    assert not after.billable
    assert (rig.share(1).holder, rig.share(1).epoch) == lease
    late = rig.provider.add(record.name, "web")
    rig.settle()
    assert rig.provider.deletes[late.id]
    assert record.name not in rig.admitted
    told = call("history", "--kind", "settle")
    assert f"{record.name} is given up" in told.out
    assert "(by alice@" in told.out
    assert "is given up" in call("history", "--webserver", record.name).out


def test_settled_once_it_is_settled(rig: Rig) -> None:
    record = doubtful(rig)
    assert call("audit", "--settle", record.name, "--yes").code == 0
    said = call("audit", "--settle", record.name, "--yes")
    assert (said.code, said.out) == (0, f"{record.name} is given up already: nothing to do\n")


def test_a_dry_run_shows_and_writes_nothing(rig: Rig) -> None:
    record = doubtful(rig)
    before = dict(rig.store._objects)
    said = call("audit", "--settle", record.name, "--dry-run")
    assert said.code == 0
    assert f"{record.name} would be given up" in said.out
    assert rig.store._objects == before


def test_nobody_is_there_to_say_the_word(rig: Rig) -> None:
    record = doubtful(rig)
    said = call("audit", "--settle", record.name)
    assert said.code == 2
    assert "Nobody is here to answer: say --yes" in said.err
    assert rig.share(1).records[record.name] == record


def test_one_that_the_provider_lists_is_not_settled(rig: Rig) -> None:
    """Also where its label is missing: it exists all the same."""
    record = doubtful(rig)
    machine = rig.provider.add(record.name)
    said = call("audit", "--settle", record.name, "--yes")
    assert said.code == 2
    assert f"the provider lists {record.name} (id {machine.id}), so it exists" in said.err
    assert rig.share(1).records[record.name] == record


def test_one_that_shows_while_the_question_stands_is_not_settled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """People take their time: the provider is listed again behind the answer."""
    record = doubtful(rig)

    def answered(ask: Ask, question: str, yes: bool) -> bool:
        rig.provider.add(record.name, "web")
        return True

    monkeypatch.setattr(Ask, "confirm", answered)
    said = call("audit", "--settle", record.name)
    assert said.code == 2
    assert f"the provider lists {record.name}" in said.err
    assert rig.share().records[record.name].state is State.CREATING


def test_without_a_listing_nothing_is_settled(rig: Rig) -> None:
    record = doubtful(rig)
    rig.provider.next("list", Fault.UNREACHABLE)
    said = call("audit", "--settle", record.name, "--yes")
    assert said.code == 4
    assert "without a listing of now nothing was settled" in said.err
    assert rig.share(1).records[record.name] == record


def test_one_that_a_node_takes_in_meanwhile_is_not_settled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine shows between our listing and our write, and the share's node writes so first."""
    rig.want(3)
    record = doubtful(rig)
    swap = rig.store.swap

    def late(key: str, body: bytes, version: str) -> Any:
        monkeypatch.setattr(rig.store, "swap", swap)
        rig.provider.add(record.name, "web")
        rig.cycle(1, once=True)
        return swap(key, body, version)

    monkeypatch.setattr(rig.store, "swap", late)
    said = call("audit", "--settle", record.name, "--yes")
    assert said.code == 2
    assert f"{record.name} is booting and has the id" in said.err
    rig.settle()
    assert record.name in rig.alive


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "vm-77"}, "has the id vm-77: there is no doubt that it was made; `autoscaler release"),
        ({"state": State.UP, "id": "vm-77"}, "is up and has the id vm-77"),
        ({"left": None}, "is creating by the cycle of node 1, which has not said what came of it"),
        ({"state": State.REQUESTED, "left": None}, "is requested by the cycle of node 1"),
        ({"state": State.GONE}, "is gone: there is no doubt to end"),
        ({"state": State.FAILED}, "is failed without an id, not in doubt: the next cycle on its share ends it"),
    ],
)
def test_nothing_but_a_doubtful_create_is_settled(rig: Rig, changes: dict[str, Any], sentence: str) -> None:
    record = doubtful(rig, **changes)
    for words in (["--yes"], ["--dry-run"]):
        said = call("audit", "--settle", record.name, *words)
        assert said.code == 2
        assert sentence in said.err
        assert len(said.err.splitlines()) == 1
    assert rig.share(1).records[record.name] == record


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--settle", "ws-web-1-9999", "--yes"], "no webserver is called 'ws-web-1-9999'"),
        (["--settle", "x", "--check"], "--check looks and --settle writes"),
        (["--yes"], "--yes goes with --settle"),
        (["--dry-run"], "--dry-run goes with --settle"),
    ],
)
def test_what_the_asker_erred_in_is_one_sentence(rig: Rig, words: list[str], sentence: str) -> None:
    said = call("audit", *words)
    assert said.code == 2
    assert sentence in said.err


def test_a_settled_doubt_makes_room_under_the_maximum(rig: Rig) -> None:
    """What it is for: while it counts, nothing is built in its place."""
    rig.want(6)
    rig.settle()
    rig.want(5)
    rig.settle()
    record = doubtful(rig, serial=900)
    rig.want(6)
    rig.cycle(1, once=True)
    assert len(rig.names(State.CREATING)) == 1  # the doubtful one itself
    assert call("audit", "--settle", record.name, "--yes").code == 0
    rig.settle()
    assert len(rig.up) == 6
    assert rig.provider.most == 6


def test_a_twin_of_an_adopted_one_is_left_to_its_owner(rig: Rig) -> None:
    changed(rig, rig.up[0], adopted=True)
    second = rig.provider.create(Order(rig.up[0], "web", "other"))
    assert f"delete id {second.id} at the provider" in only(rig)["do"]


def test_one_proved_gone_that_is_listed_again_is_told(rig: Rig) -> None:
    changed(rig, rig.up[0], state=State.GONE, since=Instant(rig.clock.now() - 600))
    said = call("audit", "--json")
    assert [one["told"] for one in found(said, "came back")] == ["was proved gone, and is listed again"]
