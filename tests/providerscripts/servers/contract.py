"""What every adapter to the port Provider must do, and must not do while the vendor misbehaves.

For an adapter of your own: subclass ProviderContract in a test file and give it a fixture `world` that yields
a World. Its hooks say how to script a fault and how to know the truth; a fault that the adapter's double
cannot show raises CannotShow and is skipped by name; set a test to None where the fault cannot happen at all.

The invariant behind all of it: machines made <= creates posted, and none lost from sight.
"""

from __future__ import annotations

import itertools
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from autoscaler.ports import Doubtful, Provider, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, ServerState
from providerscripts.servers.faults import Fault

#: Whatever a create may meet.
_CREATES = (
    Fault.UNREACHABLE,
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.RATE,
    Fault.AUTH,
    Fault.QUOTA,
    Fault.SOLD_OUT,
    Fault.LATE,
    Fault.TWICE,
)
_SEEN_BY = {
    "create": _CREATES,
    "list": (Fault.UNREACHABLE, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.RATE, Fault.AUTH),
}


class CannotShow(Exception):
    """This double cannot show that fault."""


@dataclass
class World:
    """An adapter, and the vendor's side of it."""

    provider: Provider
    another: Callable[[str], Provider]  # the same account, seen with another pool's label
    script: Callable[[str, Fault, float], None]  # verb, fault, seconds; CannotShow
    truth: Callable[[], set[str]]  # ids of the machines that exist, whatever a listing says
    made: Callable[[], int]  # machines that ever existed
    wait: Callable[[float], None] = time.sleep  # let the vendor's time pass
    quota: Callable[[int], None] | None = None  # so many machines at most
    patience: float = 60.0  # seconds of the vendor's time within which an ordinary create runs
    pool: str = "web"
    ordered: Mapping[str, Any] = field(default_factory=dict)  # image, size, options of a good order
    posts: Callable[[], int] | None = None  # requests to create that came, where that is counted
    posted: int = 0
    word: Callable[[str, str], None] | None = None  # (id, a state that nobody knows): the vendor tells it from now on
    shrink: Callable[[], None] | None = None  # the next listing's page lacks an element, and its total says otherwise
    secrets: Sequence[str] = ()  # what no message may bear

    def order(self, serial: int, pool: str = "") -> Order:
        """A good order."""
        pool = pool or self.pool
        name = f"ws-{pool}-1-{serial:04d}"
        return Order(name=name, pool=pool, token=name, **self.ordered)

    def create(self, serial: int) -> Server:
        """One create, counted; and it was one request, or none."""
        self.posted += 1
        before = self.posts() if self.posts else 0
        try:
            return self.provider.create(self.order(serial))
        finally:
            if self.posts:
                assert self.posts() - before <= 1, "one create sent more than one request"

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds; fails with `what` after `patience`."""
        for _ in range(200):
            if holds():
                return
            self.wait(self.patience / 200)
        assert holds(), what

    def settle(self) -> None:
        """Let pass the time after which a listing must tell the whole truth."""
        self.wait(self.provider.traits.settle)

    def named(self, serial: int) -> list[Server]:
        """What the listing has under this name."""
        return [s for s in self.provider.list() if s.name == self.order(serial).name]


class ProviderContract:
    """The suite. Every test begins with an empty account."""

    @pytest.fixture
    def world(self) -> World:
        raise NotImplementedError("give the suite your World")

    def script(self, world: World, verb: str, fault: Fault, seconds: float = 0.0) -> None:
        try:
            world.script(verb, fault, seconds)
        except CannotShow as why:
            pytest.skip(f"{fault} on {verb}: {why}")

    @pytest.fixture(autouse=True)
    def invariant(self, world: World):
        yield
        assert world.made() <= world.posted, "more machines than creates were posted"
        world.settle()
        try:
            seen = {s.id for s in world.provider.list()}
        except ProviderUnreachable:
            seen = {s.id for s in world.provider.list()}  # a scripted fault was left over: once is enough
        assert world.truth() <= seen, "a machine is lost from sight"

    # --- without faults ---

    def test_an_empty_account_is_an_empty_listing(self, world):
        assert world.provider.list() == ()

    def test_a_create_brings_an_id_at_once_and_later_runs(self, world):
        made = world.create(1)
        assert made.id
        assert made.name == "ws-web-1-0001"
        assert made.pool == "web"
        assert made.state in (ServerState.CREATING, ServerState.RUNNING)
        world.until(lambda: [s.state for s in world.named(1)] == [ServerState.RUNNING], "it never ran")
        [seen] = world.named(1)
        assert seen.id == made.id
        assert seen.address
        assert seen.created is not None
        if world.provider.traits.knows_host_key:
            assert seen.host_key is not None
            assert len(seen.host_key.split()) == 2

    def test_get_tells_what_the_listing_tells(self, world):
        made = world.create(1)
        world.until(lambda: [s.state for s in world.named(1)] == [ServerState.RUNNING], "it never ran")
        assert world.provider.get(made.id) == world.named(1)[0]

    def test_get_of_an_unknown_id_is_none(self, world):
        assert world.provider.get("0" * 32) is None

    def test_ids_are_never_used_again(self, world):
        first = world.create(1)
        world.provider.delete(first.id)
        world.until(lambda: world.provider.get(first.id) is None, "it never went")
        # Where a token is honoured, the name stands for the one that has ended.
        second = world.create(2 if world.provider.traits.create_token else 1)
        assert second.id != first.id
        assert world.provider.get(first.id) is None

    def test_the_listing_shows_our_pool_and_everything_the_account(self, world):
        other = world.another("other")
        mine = world.create(1)
        world.posted += 1
        theirs = other.create(world.order(1, "other"))
        world.settle()
        assert {s.id for s in world.provider.list()} == {mine.id}
        assert {s.id for s in world.provider.list(everything=True)} == {mine.id, theirs.id}
        other.delete(theirs.id)
        world.until(lambda: other.get(theirs.id) is None, "it never went")

    def test_a_label_goes_on_and_off(self, world):
        made = world.create(1)
        world.settle()
        world.provider.label(made.id, None)
        assert world.provider.list() == ()
        [seen] = [s for s in world.provider.list(everything=True) if s.id == made.id]
        assert seen.pool is None
        world.provider.label(made.id, "web")
        assert [s.id for s in world.provider.list()] == [made.id]

    def test_delete_ends_it_and_a_second_one_is_success(self, world):
        made = world.create(1)
        kept = world.create(2)
        world.provider.delete(made.id)
        world.until(lambda: world.provider.get(made.id) is None, "it never went")
        world.settle()
        assert [s.id for s in world.provider.list()] == [kept.id]
        world.provider.delete(made.id)
        world.provider.delete("0" * 32)
        assert world.truth() == {kept.id}

    def test_a_reboot_keeps_id_name_and_key(self, world):
        made = world.create(1)
        world.until(lambda: [s.state for s in world.named(1)] == [ServerState.RUNNING], "it never ran")
        [before] = world.named(1)
        world.provider.reboot(made.id)
        world.until(lambda: [s.state for s in world.named(1)] == [ServerState.RUNNING], "it never came back")
        assert world.named(1)[0] == before

    def test_a_deed_to_an_unknown_id_is_refused(self, world):
        with pytest.raises(Refused):
            world.provider.reboot("0" * 32)
        with pytest.raises(Refused):
            world.provider.label("0" * 32, "web")

    def test_a_second_create_of_a_name_is_what_the_traits_say(self, world):
        made = world.create(1)
        world.posted += 1
        if world.provider.traits.create_token:
            assert world.provider.create(world.order(1)).id == made.id
            assert len(world.truth()) == 1
        elif world.provider.traits.unique_names:
            with pytest.raises(Refused) as refused:
                world.provider.create(world.order(1))
            assert refused.value.kind == "invalid"
            assert len(world.truth()) == 1
        else:
            assert world.provider.create(world.order(1)).id != made.id

    def test_the_quota_refuses_and_makes_nothing(self, world):
        if world.quota is None:
            pytest.skip("this double has no quota")
        world.quota(1)
        made = world.create(1)
        with pytest.raises(Refused) as refused:
            world.create(2)
        assert refused.value.kind == "quota"
        assert world.truth() == {made.id}

    # --- what it tells besides ---

    def test_a_price_is_a_price_or_nothing(self, world):
        order = world.order(1)
        price = world.provider.price(order.size, order.region)
        assert price is None or price.hour >= 0
        if price is not None:
            assert len(price.currency) == 3
            assert price.month is None or price.month >= price.hour
        assert world.provider.traits.billing in ("hour", "second")
        assert world.provider.price("no-such-size-9000", order.region) in (None, price)

    def test_a_quota_counts_what_is_there(self, world):
        before = world.provider.quota()
        world.create(1)
        world.settle()
        after = world.provider.quota()
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert before.most is None or before.most >= 0
            assert (before.used is None) == (after.used is None)
            assert before.used is None or after.used == before.used + 1

    def test_what_was_deleted_leaves_nothing_over(self, world):
        assert world.provider.leftovers() == ()
        made = world.create(1)
        assert world.provider.leftovers() == ()
        world.provider.delete(made.id)
        world.until(lambda: world.provider.get(made.id) is None, "it never went")
        assert world.provider.leftovers() == ()

    def test_an_examination_makes_nothing_and_finds_a_wrong_size(self, world):
        order = world.order(1)
        assert world.provider.examine(order) == ()
        told = world.provider.examine(replace(order, size="no-such-size-9000"))
        assert isinstance(told, tuple)
        if order.size:
            assert any("no-such-size-9000" in sentence for sentence in told)
        assert world.made() == 0

    # --- a create that goes wrong ---

    @pytest.mark.parametrize("fault", [Fault.RATE, Fault.QUOTA, Fault.SOLD_OUT, Fault.AUTH])
    def test_a_refused_create_makes_nothing(self, world, fault):
        self.script(world, "create", fault)
        with pytest.raises(Refused) as refused:
            world.create(1)
        assert refused.value.kind == fault.value
        assert world.truth() == set()
        world.settle()
        assert world.provider.list() == ()

    def test_a_create_that_never_left_makes_nothing(self, world):
        self.script(world, "create", Fault.UNREACHABLE)
        with pytest.raises(ProviderUnreachable):
            world.create(1)
        assert world.truth() == set()

    def test_a_lost_request_is_doubtful_and_posted_once(self, world):
        self.script(world, "create", Fault.LOST_REQUEST)
        with pytest.raises(Doubtful):
            world.create(1)
        world.settle()
        assert world.named(1) == []
        assert world.made() == 0  # an adapter that tries again by itself would have made one

    def test_a_lost_answer_is_doubtful_and_the_machine_shows_within_settle(self, world):
        self.script(world, "create", Fault.LOST_ANSWER)
        with pytest.raises(Doubtful):
            world.create(1)
        assert world.made() == 1
        world.settle()
        assert len(world.named(1)) == 1

    def test_a_late_create_shows_within_settle(self, world):
        self.script(world, "create", Fault.LATE, world.provider.traits.tail)
        with pytest.raises(Doubtful):
            world.create(1)
        world.settle()
        assert len(world.named(1)) == 1

    def test_a_repeated_post_shows_both(self, world):
        self.script(world, "create", Fault.TWICE)
        world.posted += 1  # the proxy posted it a second time
        world.create(1)
        world.settle()
        assert len(world.named(1)) == world.made()
        assert len({s.id for s in world.named(1)}) == world.made()

    def test_one_that_never_boots_stays_creating_and_can_be_deleted(self, world):
        self.script(world, "create", Fault.NEVER_BOOTS)
        made = world.create(1)
        world.settle()
        world.wait(world.patience / 10)
        assert [s.state for s in world.named(1)] == [ServerState.CREATING]
        world.provider.delete(made.id)
        world.until(lambda: world.truth() == set(), "it never went")

    def test_one_that_fails_late_is_listed_as_failed_and_can_be_deleted(self, world):
        self.script(world, "create", Fault.FAILS_LATE)
        made = world.create(1)
        world.until(lambda: [s.state for s in world.named(1)] == [ServerState.FAILED], "it never failed")
        world.provider.delete(made.id)
        world.until(lambda: world.truth() == set(), "it never went")

    @pytest.mark.parametrize("fault", _CREATES)
    def test_a_create_is_one_request_whatever_comes_of_it(self, world, fault):
        if world.posts is None:
            pytest.skip("this double does not count requests")
        self.script(world, "create", fault, 10.0 if fault is Fault.LATE else 0.0)
        before = world.posts()
        with suppress(Refused, Doubtful, ProviderUnreachable):
            world.create(1)
        if fault is Fault.TWICE:
            world.posted += 1
        assert world.posts() - before == (0 if fault is Fault.UNREACHABLE else 1)

    def test_no_message_bears_a_secret(self, world):
        if not world.secrets:
            pytest.skip("this double knows no secret")
        said = [repr(world.provider), str(world.provider), repr(vars(world.provider))]
        serials = itertools.count(1)
        acts = {"create": lambda: world.create(next(serials)), "list": world.provider.list}
        for verb, fault in [("create", None), ("list", None), *((v, f) for v in acts for f in _SEEN_BY[v])]:
            world.posted += fault is Fault.TWICE
            with suppress(CannotShow):
                if fault is not None:
                    world.script(verb, fault, 0.0)
            try:
                said.append(repr(acts[verb]()))
            except (Refused, Doubtful, ProviderUnreachable) as err:
                said += [str(err), repr(err), *traceback.format_exception(err)]
        assert not [text for text in said for secret in world.secrets if secret in text]

    # --- a listing that goes wrong ---

    def test_a_page_that_lacks_one_is_no_listing(self, world):
        if world.shrink is None:
            pytest.skip("this double's listing tells no total")
        for serial in (1, 2, 3):
            world.create(serial)
        world.settle()
        world.shrink()
        with pytest.raises(ProviderUnreachable):
            world.provider.list()
        assert len(world.provider.list()) == 3

    def test_a_state_that_nobody_knows_is_unknown_and_never_gone(self, world):
        if world.word is None:
            pytest.skip("this double knows no other words")
        made = world.create(1)
        world.settle()
        world.word(made.id, "entangled")
        [seen] = world.named(1)
        assert (seen.id, seen.state) == (made.id, ServerState.UNKNOWN)
        assert "entangled" in seen.detail
        assert world.provider.get(made.id) == seen

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.RATE])
    def test_a_failed_listing_is_never_an_empty_one(self, world, fault):
        world.create(1)
        world.settle()
        self.script(world, "list", fault)
        with pytest.raises(ProviderUnreachable):
            world.provider.list()
        assert len(world.named(1)) == 1

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.LOST_ANSWER, Fault.RATE])
    def test_a_failed_get_is_never_none(self, world, fault):
        made = world.create(1)
        self.script(world, "get", fault)
        with pytest.raises(ProviderUnreachable):
            world.provider.get(made.id)
        assert world.provider.get(made.id) is not None

    # --- a delete that goes wrong ---

    def test_a_refused_delete_leaves_it(self, world):
        made = world.create(1)
        self.script(world, "delete", Fault.RATE)
        with pytest.raises(Refused):
            world.provider.delete(made.id)
        assert world.truth() == {made.id}

    def test_a_delete_whose_answer_is_lost_is_doubtful_and_repeated_it_is_success(self, world):
        made = world.create(1)
        self.script(world, "delete", Fault.LOST_ANSWER)
        with pytest.raises(Doubtful):
            world.provider.delete(made.id)
        world.until(lambda: world.provider.get(made.id) is None, "it never went")
        world.provider.delete(made.id)

    def test_a_delete_whose_request_is_lost_leaves_it(self, world):
        made = world.create(1)
        self.script(world, "delete", Fault.LOST_REQUEST)
        with pytest.raises(Doubtful):
            world.provider.delete(made.id)
        world.settle()
        assert world.truth() == {made.id}

    def test_one_stuck_in_deleting_stays_in_sight(self, world):
        made = world.create(1)
        world.settle()
        self.script(world, "delete", Fault.STUCK_DELETING)
        world.provider.delete(made.id)
        world.settle()
        assert [s.state for s in world.named(1)] == [ServerState.DELETING]
        world.provider.delete(made.id)
        world.until(lambda: world.truth() == set(), "it never went")
