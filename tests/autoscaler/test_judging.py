"""A Round's judgement from values alone: the second opinion, the brake over the fleet, softer ways, quarantine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.judging import Do, Judgement, Judging, count_in, judgement, judging_of, unjudged
from autoscaler.opinion import Answer, Opinion, nonce_of
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.share import Brake
from autoscaler.softening import Healing, Soft
from autoscaler.verdict import Count, Word, count_of
from autoscaler.webserver import Record, State
from tests.autoscaler.test_decision import NOW, record, share
from tests.autoscaler.test_guard_verdict import RULES, heard
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

BAD = heard(serving=Heard.BAD, again=Heard.BAD)
GOOD = heard(serving=Heard.GOOD)
CHANGED = heard(serving=Heard.GOOD, known=Heard.OTHER_KEY)
PIN = "ssh-ed25519 AAAA"
STRUCK = replace(
    record(1), served=True, withdrawn=True, strikes=1, struck=Instant(NOW - 60), pin=PIN, id="vm-1"
)
NAME = STRUCK.name
NONCE = nonce_of("1/round/6", NAME)
ACCUSED = replace(STRUCK, strikes=2, accused=NONCE)
SOFT = Healing(soft=(Soft.RESTART, Soft.REBOOT))


def judging(
    *records: Record, readings: dict[RungName, Reading] = BAD, well: int = 9, **more: Any
) -> Judging:
    return Judging(
        1, "1/round/7", 1, NOW, RULES, records={r.name: r for r in records},
        readings={r.name: readings for r in records}, well=well, **more,
    )  # fmt: skip


def opinion(node: int = 2, answer: Answer = Answer.DEAD, nonce: str = NONCE) -> Opinion:
    return Opinion(NAME, node, nonce, answer)


def fate(before: Record, **more: Any) -> tuple[Do, Record]:
    found = judgement(judging(before, **more)).fates[before.name]
    return found.do, found.record


# The second opinion


def test_who_is_dead_by_our_ears_is_accused_and_stays_up_and_withdrawn() -> None:
    do, after = fate(STRUCK, heard=(2,))
    assert (do, after.state, after.withdrawn) == (Do.NOTHING, State.UP, True)
    assert after.accused == nonce_of("1/round/7", NAME)


def test_a_second_node_that_hears_it_dead_too_seals_it() -> None:
    do, after = fate(ACCUSED, heard=(2,), opinions={NAME: (opinion(),)})
    assert (do, after.state, after.ill, after.accused) == (Do.SEAL, State.FAILED, True, "")
    assert "node 2 hears it dead too" in after.reason


def test_where_nobody_else_is_heard_our_own_word_suffices() -> None:
    assert fate(STRUCK)[0] is Do.SEAL


def test_a_node_that_says_nothing_has_not_said_yes() -> None:
    do, after = fate(ACCUSED, heard=(2,))
    assert (do, after.state, after.accused) == (Do.NOTHING, State.UP, NONCE)


def test_an_opinion_from_an_earlier_illness_is_none() -> None:
    earlier = opinion(nonce=nonce_of("1/round/3", NAME))
    assert fate(ACCUSED, heard=(2,), opinions={NAME: (earlier,)})[0] is Do.NOTHING


def test_an_opinion_of_a_node_that_is_silent_now_is_none() -> None:
    do, after = fate(ACCUSED, heard=(3,), opinions={NAME: (opinion(),)})
    assert (do, after.accused) == (Do.NOTHING, NONCE)


def test_who_is_heard_well_by_others_is_accused_afresh_and_told_of() -> None:
    found = judgement(judging(ACCUSED, heard=(2,), opinions={NAME: (opinion(answer=Answer.WELL),)}))
    it = found.fates[NAME]
    assert (it.do, it.record.state, it.record.accused) == (Do.NOTHING, State.UP, nonce_of("1/round/7", NAME))
    assert "node 2 hears it well" in it.told


@pytest.mark.parametrize(
    "accused",
    [
        replace(ACCUSED, accused=nonce_of("2/round/6", NAME)),
        replace(ACCUSED, struck=Instant(NOW - 3600)),
    ],
    ids=["another-node's", "of-an-hour-ago"],
)
def test_an_accusation_that_does_not_stand_is_opened_anew(accused: Record) -> None:
    answers = {NAME: (opinion(nonce=accused.accused),)}
    do, after = fate(accused, heard=(2,), opinions=answers)
    assert (do, after.accused) == (Do.NOTHING, nonce_of("1/round/7", NAME))


@pytest.mark.parametrize(
    "readings", [GOOD, heard(serving=Heard.UNKNOWN), heard(serving=Heard.BAD, again=Heard.GOOD)]
)
def test_a_round_that_does_not_hear_it_dead_drops_the_accusation(readings: dict[RungName, Reading]) -> None:
    assert fate(ACCUSED, readings=readings, heard=(2,))[1].accused == ""


def test_behind_the_brake_the_accusation_is_dropped() -> None:
    do, after = fate(ACCUSED, heard=(2,), opinions={NAME: (opinion(),)}, others=(Count(8, 8),))
    assert (do, after) == (Do.NOTHING, replace(ACCUSED, accused=""))


# The brake


def test_three_shares_of_one_have_a_brake_together() -> None:
    found = judgement(judging(STRUCK, well=0, others=(Count(1, 1), Count(1, 1))))
    assert found.withheld
    assert found.brake is not None
    assert (found.brake.mine, found.brake.failing, found.brake.of) == (1, 3, 3)


def test_one_of_three_shares_of_one_is_judged() -> None:
    assert judgement(judging(STRUCK, well=0, others=(Count(0, 1), Count(0, 1)))).brake is None


def test_a_share_that_is_well_is_not_braked_by_others() -> None:
    j = judging(record(1), readings=GOOD, others=(Count(8, 8),))
    assert judgement(j).brake is None


def test_an_own_third_is_enough_however_well_the_fleet_is() -> None:
    bad = [replace(record(n), served=True) for n in (1, 2)]
    assert judgement(judging(*bad, well=2, others=(Count(0, 100),))).withheld


def test_a_lifted_brake_stays_lifted_until_it_opens() -> None:
    lifted = Brake(Instant(NOW - 60), 3, 3, lifted=True)
    found = judgement(judging(STRUCK, well=0, others=(Count(2, 2),), before=lifted))
    assert (found.withheld, found.fates[NAME].do) == (False, Do.SEAL)


def test_another_share_counts_by_its_records_or_by_the_brake_of_a_node_that_is_heard() -> None:
    up = [record(n) for n in (1, 2, 3)]
    struck = share(2, replace(up[0], strikes=1), replace(up[1], withdrawn=True), up[2], record(4, State.BOOTING))
    assert count_of(struck, False) == Count(2, 3)
    braked = replace(share(2, *up), brake=Brake(NOW, 9, 9, mine=3))
    assert count_of(braked, True) == Count(3, 3)
    assert count_of(braked, False) == Count(0, 3), "the node that said so is gone"


# Softer ways first


def test_soft_actions_come_in_order_before_the_seal() -> None:
    do, once = fate(STRUCK, healing=SOFT)
    assert (do, once.state, once.soft, once.softened) == (Do.RESTART, State.UP, ("restart",), NOW)
    assert (once.strikes, once.accused, once.withdrawn) == (0, "", True)
    do, twice = fate(replace(once, strikes=1, struck=STRUCK.struck, softened=Instant(NOW - 300)), healing=SOFT)
    assert (do, twice.soft) == (Do.REBOOT, ("restart", "reboot"))
    do, _ = fate(replace(twice, strikes=1, struck=STRUCK.struck, softened=Instant(NOW - 300)), healing=SOFT)
    assert do is Do.SEAL


def test_a_second_node_must_agree_with_a_soft_action_too() -> None:
    assert fate(STRUCK, healing=SOFT, heard=(2,))[0] is Do.NOTHING
    assert fate(ACCUSED, healing=SOFT, heard=(2,), opinions={NAME: (opinion(),)})[0] is Do.RESTART


def test_after_a_soft_action_failures_count_once_its_wait_is_over() -> None:
    softened = replace(STRUCK, strikes=0, struck=None, soft=("restart",), softened=Instant(NOW - 119))
    do, after = fate(softened, healing=SOFT)
    assert (do, after.strikes) == (Do.NOTHING, 0)
    assert fate(replace(softened, softened=Instant(NOW - 121)), healing=SOFT)[1].strikes == 1


def test_nobody_is_logged_into_without_a_pin() -> None:
    assert fate(replace(STRUCK, pin=None), healing=SOFT)[0] is Do.REBOOT


def test_what_was_restarted_lately_is_not_restarted_for_ever() -> None:
    softened = replace(STRUCK, soft=("restart",), softened=Instant(NOW - 600))
    assert fate(softened, healing=SOFT, readings=GOOD)[1].soft == ("restart",)
    long_ago = replace(softened, softened=Instant(NOW - 3601))
    after = fate(long_ago, healing=SOFT, readings=GOOD)[1]
    assert (after.soft, after.softened) == ((), None)


# Another host key


def test_another_host_key_is_quarantined_with_the_way_out() -> None:
    found = judgement(judging(replace(record(1), served=True, id="vm-1"), readings=CHANGED))
    it, verdict = found.fates[NAME], found.verdicts[NAME]
    assert (it.do, it.record.state, it.record.withdrawn) == (Do.QUARANTINE, State.QUARANTINED, True)
    assert (verdict.word, verdict.failing, verdict.alarm) == (Word.OTHER_KEY, True, True)
    assert f"`autoscaler release {NAME}`, then `autoscaler adopt vm-1`" in it.told


def test_many_changed_keys_are_behind_the_brake() -> None:
    some = [replace(record(n), served=True) for n in (1, 2)]
    found = judgement(judging(*some, readings=CHANGED, well=2))
    assert found.withheld
    assert {f.do for f in found.fates.values()} == {Do.NOTHING}


def test_a_fleet_is_not_quarantined_a_tenth_at_a_time() -> None:
    one = replace(record(1), served=True)
    assert judgement(judging(one, readings=CHANGED, well=5, quarantined=1)).fates[NAME].do is Do.QUARANTINE
    assert judgement(judging(one, readings=CHANGED, well=5, quarantined=3)).withheld
    assert not judgement(judging(STRUCK, well=5, quarantined=3)).withheld, "they are no reason to keep a dead one"


# Journalled, and made again


def test_the_judgement_is_made_again_from_the_journal() -> None:
    j = judging(
        ACCUSED, record(2), heard=(2, 3), opinions={NAME: (opinion(),)}, healing=SOFT, others=(Count(0, 6),),
        before=Brake(NOW, 2, 3),
    )  # fmt: skip
    plain = json.loads(json.dumps([to_plain(j), to_plain(judgement(j))]))
    again = judgement(from_plain(Judging, plain[0]))
    assert to_plain(again) == plain[1]
    assert from_plain(Judgement, plain[1]) == again


def test_who_is_plainly_well_is_only_counted() -> None:
    up = {r.name: replace(r, served=True) for r in (record(n) for n in range(1, 101))}
    ill = replace(up[NAME], strikes=1, struck=Instant(NOW - 60), withdrawn=True)
    heights = dict.fromkeys(up, GOOD) | {"ws-web-1-0050": heard(serving=Heard.UNKNOWN)}
    j = judging_of(judging(), {**up, NAME: ill}, heights)
    assert (set(j.records), j.well, j.unknown) == ({NAME}, 98, 1)
    assert count_in(j) == Count(0, 99)
    assert judgement(j).fates[NAME].do is Do.ADMIT


def test_who_was_changed_since_it_was_judged_is_somebody_else() -> None:
    assert not unjudged(STRUCK, replace(STRUCK, protected=NOW, reason="said by somebody"))
    for changes in ({"state": State.DRAINING}, {"strikes": 2}, {"withdrawn": False}, {"accused": "x"}, {"id": "b"}):
        assert unjudged(STRUCK, replace(STRUCK, **changes))
    assert unjudged(STRUCK, None)
