"""Guards of ill health: the second opinion, the brake over the fleet, evidence, softer ways, quarantine."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["OPINIONS"]

OPINION = "tests/autoscaler/test_opinion.py::test_"
JUDGING = "tests/autoscaler/test_judging.py::test_"
ROUND = "tests/autoscaler/test_second_opinion.py::test_"

OPINIONS: tuple[Guard, ...] = (
    # --- the second opinion ---
    Guard(
        "second opinion",
        "Nothing is sealed for ill health unless a second live node, where there is one, agrees.",
        "autoscaler/judging.py",
        "    if consent is Consent.WAITING:\n",
        "    if False:\n",
        (JUDGING + "a_node_that_says_nothing_has_not_said_yes", ROUND + "silence_of_a_live_node_is_no_yes"),
    ),
    Guard(
        "second opinion: who is heard well stays",
        "A webserver that the others hear well is not sealed by one node's ears.",
        "autoscaler/judging.py",
        "    if consent is Consent.NO:",
        "    if False:",
        (
            JUDGING + "who_is_heard_well_by_others_is_accused_afresh_and_told_of",
            ROUND + "a_blind_node_kills_nobody_and_says_who_hears_it_well",
        ),
    ),
    Guard(
        "silence is not a yes",
        "A node that is heard and has not answered has not agreed.",
        "autoscaler/opinion.py",
        "    if silent:\n        return Consent.WAITING,",
        "    if silent:\n        return Consent.YES,",
        (OPINION + "silence_of_a_node_that_is_heard_is_no_yes",),
    ),
    Guard(
        "nonce",
        "An opinion counts for the accusation it answers, and for no later illness.",
        "autoscaler/opinion.py",
        "for o in opinions if o.nonce == nonce and o.node in others}",
        "for o in opinions if o.node in others}",
        (
            OPINION + "an_opinion_of_another_accusation_is_none",
            ROUND + "an_opinion_from_an_earlier_illness_convicts_nobody",
        ),
    ),
    Guard(
        "the answering node is heard now",
        "Who answered and has vanished since is no second live node.",
        "autoscaler/opinion.py",
        "for o in opinions if o.nonce == nonce and o.node in others}",
        "for o in opinions if o.nonce == nonce}\n    others = sorted({*others, *valid})",
        (
            OPINION + "an_opinion_of_a_node_that_is_not_heard_now_is_none",
            ROUND + "a_node_that_beats_is_heard_however_its_rounds_are",
        ),
    ),
    Guard(
        "an accusation that nobody repeats ends",
        "What was answered while the accuser was away may have been another illness.",
        "autoscaler/opinion.py",
        "return mine and record.struck is not None and at - record.struck <= fresh",
        "return mine and record.struck is not None",
        (
            OPINION + "an_accusation_is_carried_on_by_its_own_node_and_while_it_is_repeated",
            JUDGING + "an_accusation_that_does_not_stand_is_opened_anew",
        ),
    ),
    Guard(
        "an accusation is its node's own",
        "Who takes a share over hears with other ears, and asks again.",
        "autoscaler/opinion.py",
        'mine = record.accused.split("/", 1)[0] == str(node)\n    return mine',
        "mine = bool(record.accused)\n    return mine",
        (JUDGING + "an_accusation_that_does_not_stand_is_opened_anew",),
    ),
    Guard(
        "recovery ends the accusation",
        "Who is heard well again is accused of nothing.",
        "autoscaler/judging.py",
        'ailing=verdict.ailing, accused="", soft=soft,',
        "ailing=verdict.ailing, soft=soft,",
        (JUDGING + "a_round_that_does_not_hear_it_dead_drops_the_accusation",),
    ),
    Guard(
        "an opinion needs two answers",
        "What could not be asked twice is not called dead.",
        "autoscaler/opinion.py",
        "    if any(r is None or r.heard is Heard.UNKNOWN for r in (serving, again)):\n",
        "    if False:\n",
        (OPINION + "dead_is_only_who_was_asked_twice",),
    ),
    Guard(
        "an opinion lies under its own key",
        "No copy of another node's document is its opinion.",
        "autoscaler/opinion.py",
        "        if key_of(opinion.webserver, opinion.node) != where:\n",
        "        if False:\n",
        (OPINION + "what_is_not_one_is_refused",),
    ),
    Guard(
        "a Round answers what others ask",
        "Else every accusation would wait for ever where two nodes live.",
        "autoscaler/round.py",
        "accused = asked_of(theirs, self.node.ordinal)",
        "accused = asked_of(theirs, self.node.ordinal)[:0]",
        (ROUND + "who_is_dead_for_everybody_is_accused_answered_and_replaced",),
    ),
    Guard(
        "a Round serves only what is in its hands",
        "It takes no lease, and touches nobody's share.",
        "autoscaler/round.py",
        "ours = [s for s in self.shares if self.in_hand(s)]",
        "ours = list(self.shares)",
        (ROUND + "a_round_takes_no_share",),
    ),
    # --- the brake over the fleet ---
    Guard(
        "brake: over the fleet",
        "Shares of one webserver each have a brake together.",
        "autoscaler/verdict.py",
        "    counts = [mine, *others]\n",
        "    counts = [mine]\n",
        (
            JUDGING + "three_shares_of_one_have_a_brake_together",
            ROUND + "three_shares_of_one_and_a_fleet_wide_error_lose_nobody",
        ),
    ),
    Guard(
        "brake: another's brake is counted",
        "Behind a brake nobody is struck, and its share is not sound for that.",
        "autoscaler/verdict.py",
        "return Count(max(doubted, min(braked, len(up))), len(up))",
        "return Count(doubted, len(up))",
        (JUDGING + "another_share_counts_by_its_records_or_by_the_brake_of_a_node_that_is_heard",),
    ),
    Guard(
        "brake: quarantine counts all along",
        "A fleet is not quarantined a tenth at a time.",
        "autoscaler/judging.py",
        "held = j.quarantined if any(",
        "held = 0 if any(",
        (JUDGING + "a_fleet_is_not_quarantined_a_tenth_at_a_time",),
    ),
    # --- before anything is destroyed ---
    Guard(
        "evidence before the seal",
        "Nobody is sealed whose evidence is not in the Store.",
        "autoscaler/treatment.py",
        "                self._done.append(Done(step, Outcome.REFUSED, told))\n                continue\n",
        "                self._done.append(Done(step, Outcome.REFUSED, told))\n",
        (ROUND + "without_its_evidence_nobody_is_sealed",),
    ),
    Guard(
        "who may not be replaced is not sealed",
        "A pause holds the seal back too: it may be well when the pause is over.",
        "autoscaler/treatment.py",
        "if f.do is Do.SEAL and self._may(n, f)}",
        "if f.do is Do.SEAL}",
        (ROUND + "who_may_not_be_replaced_is_not_sealed",),
    ),
    Guard(
        "softer ways first",
        "What the Deployment says is tried before anything is destroyed.",
        "autoscaler/judging.py",
        "    if soft is not None:\n",
        "    if False:\n",
        (JUDGING + "soft_actions_come_in_order_before_the_seal", ROUND + "a_restart_then_a_reboot_then_the_seal"),
    ),
    Guard(
        "a soft action is written before it is done",
        "Killed in between it is not done twice.",
        "autoscaler/treatment.py",
        "        self._book.change(\n"
        "            partial(_written, judging=judging, fates=fates, brake=found.brake, "
        "refused=refused, barred=barred)\n        )\n        self._softened({n: fates[n] for n in soft})\n",
        "        self._softened({n: fates[n] for n in soft})\n        self._book.change(\n"
        "            partial(_written, judging=judging, fates=fates, brake=found.brake, "
        "refused=refused, barred=barred)\n        )\n",
        (ROUND + "a_soft_action_is_written_before_it_is_done",),
    ),
    Guard(
        "a soft action only where it stands written",
        "Whom somebody changed while it was judged is not restarted.",
        "autoscaler/treatment.py",
        " if n in records and records[n].softened == f.record.softened}",
        "}",
        (ROUND + "whom_somebody_changed_while_it_was_judged_is_not_restarted",),
    ),
    Guard(
        "a soft action has its time",
        "No failure counts until the wait after it is over.",
        "autoscaler/softening.py",
        "    return max(0.0, record.softened + healing.wait - at)\n",
        "    return 0.0\n",
        (JUDGING + "after_a_soft_action_failures_count_once_its_wait_is_over",),
    ),
    Guard(
        "kill switch: soft actions",
        "A restart is a replacement to the kill switch, a reboot a reboot.",
        "autoscaler/treatment.py",
        "if f.do in (Do.RESTART, Do.REBOOT) and self._may(n, f)}",
        "if f.do in (Do.RESTART, Do.REBOOT)}",
        (ROUND + "the_kill_switch_holds_a_soft_action_back_and_nothing_harsher_is_done",),
    ),
    # --- quarantine ---
    Guard(
        "another host key is quarantined",
        "Who shows another key serves nobody, is not logged into, and is kept for a person to look at.",
        "autoscaler/verdict.py",
        "    if known is not None and known.heard is Heard.OTHER_KEY:\n",
        "    if False:\n",
        (
            JUDGING + "another_host_key_is_quarantined_with_the_way_out",
            ROUND + "another_host_key_is_quarantined_and_replaced",
        ),
    ),
    Guard(
        "quarantine never takes the last",
        "The last admitted one stays where it is, with an alarm.",
        "autoscaler/treatment.py",
        "        barred |= {n for n, f in fates.items() if f.do is Do.QUARANTINE and n in refused}\n",
        "",
        (ROUND + "the_last_admitted_one_is_never_quarantined",),
    ),
)
