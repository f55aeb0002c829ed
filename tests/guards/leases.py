"""Guards of the leases: whose share it is, who may take it, when it goes back, and who may reboot."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["LEASES"]

LEASE = "tests/autoscaler/test_lease.py::test_"
TAKEOVER = "tests/autoscaler/test_takeover.py::test_"
REBOOT = "tests/autoscaler/test_reboot.py::test_"
FOUND = "tests/simulation/test_found.py::test_"
MADE_SURE = "tests/autoscaler/test_made_sure.py::test_"

LEASES: tuple[Guard, ...] = (
    # --- the epoch ---
    Guard(
        "epoch before each deed",
        "Who was frozen for longer than its lease touches nothing when it thaws.",
        "autoscaler/gate.py",
        "            raise SwitchedOff(switch.sentence())\n        self.hold()\n",
        "            raise SwitchedOff(switch.sentence())\n",
        (TAKEOVER + "the_epoch_is_read_before_each_deed",),
    ),
    Guard(
        "epoch before an admission",
        "Nobody is admitted by a node that has lost its share.",
        "autoscaler/deeds.py",
        "                self._gate.hold()\n                balancer.admit(member)\n",
        "                balancer.admit(member)\n",
        (TAKEOVER + "the_epoch_is_read_before_each_deed",),
    ),
    Guard(
        "epoch fixed at first sight",
        "Lost, and ours again by another process: this one has lost it.",
        "autoscaler/book.py",
        "self._epoch in (None, share.epoch)",
        "True",
        (LEASE + "the_epoch_first_seen_holds_to_the_end", TAKEOVER + "the_epoch_is_read_before_each_deed"),
    ),
    Guard(
        "a taking is a new epoch",
        "Else a frozen holder could not tell that it was taken from it.",
        "autoscaler/book.py",
        "epoch = share.epoch + 1 if share is not None else mine.epoch",
        "epoch = share.epoch if share is not None else mine.epoch",
        (LEASE + "of_two_who_take_over_one_version_one_has_it", TAKEOVER + "a_dead_nodes_share_is_taken_within_two"
         "_lease_lengths_and_not_before_one"),
    ),
    Guard(
        "one post per name, whatever the epoch",
        "A Cycle that lost a share and has it again does not post what it posted before.",
        "autoscaler/errand.py",
        "self.count, self.tell, self.posted\n",
        "self.count, self.tell, {}\n",
        (TAKEOVER + "what_it_posted_before_it_lost_the_share_it_does_not_post_when_it_has_it_again",),
    ),
    # --- who may take ---
    Guard(
        "a lease in force is respected",
        "Nobody takes a share whose holder wrote it lately.",
        "autoscaler/lease.py",
        "    return age > length + GRACE\n",
        "    return True\n",
        (LEASE + "each_line_of_the_rules",),
    ),
    Guard(
        "listens a lease's length first",
        "After a night with all nodes off the first one up takes nobody's share.",
        "autoscaler/lease.py",
        "    if claim.watched < claim.length:\n",
        "    if False:\n",
        (
            LEASE + "who_has_not_listened_takes_nobody_elses",
            TAKEOVER + "after_a_night_with_all_nodes_off_the_first_one_up_takes_nobodys",
        ),
    ),
    Guard(
        "who was away listens anew",
        "A gap in its own heartbeat ends what a node has listened.",
        "autoscaler/node.py",
        "    gap = before.heard is None or expired(now - before.heard, lease)\n",
        "    gap = before.heard is None\n",
        (TAKEOVER + "who_was_away_listens_anew",),
    ),
    Guard(
        "kept for its node",
        "A share given back is not taken by the next one that comes along.",
        "autoscaler/lease.py",
        "        if not claim.home_heard:\n",
        "        if True:\n",
        (LEASE + "each_line_of_the_rules",),
    ),
    Guard(
        "an empty share too many is left",
        "Else it would go from hand to hand for ever.",
        "autoscaler/lease.py",
        "    if claim.share > claim.nodes and not claim.unfinished:\n",
        "    if False:\n",
        (LEASE + "each_line_of_the_rules",),
    ),
    Guard(
        "a share too many is emptied",
        "What its lost node left in it is served, and removed, by those who stay.",
        "autoscaler/duty.py",
        "others = sorted((set(known) | set(range(1, nodes + 1))) - {node.ordinal})",
        "others = sorted(set(range(1, nodes + 1)) - {node.ordinal})",
        (TAKEOVER + "a_share_too_many_whose_node_is_gone_is_emptied_by_a_survivor",),
    ),
    Guard(
        "no takeover without conditional writes",
        "Two could have it at once and neither would know.",
        "autoscaler/duty.py",
        "*(() if alone else others)",
        "*others",
        (TAKEOVER + "a_store_without_conditional_writes_has_no_takeover_and_says_so",),
    ),
    Guard(
        "of two one takes it",
        "Who lost the race over one version does not have it.",
        "autoscaler/book.py",
        '            raise LeaseLost(f"another node was faster to take {self.key}") from None\n',
        "            return ours\n",
        (LEASE + "of_two_who_take_over_one_version_one_has_it",),
    ),
    # --- renewed, handed back ---
    Guard(
        "renewed",
        "An idle share in good hands is nobody else's to take.",
        "autoscaler/cycle.py",
        "                    holding.book.renew(self.deployment.lease / 2)\n",
        "                    pass\n",
        (TAKEOVER + "who_is_idle_keeps_its_share",),
    ),
    Guard(
        "handed back only when heard since",
        "A beat of before the taking is no news of its node.",
        "autoscaler/handover.py",
        "errand.time.now() - beat.age <= taken or not _works(beat, taken)",
        "False",
        (TAKEOVER + "a_beat_of_before_the_taking_gives_nothing_back",),
    ),
    Guard(
        "handed back only to one that sees the fleet",
        "Given to a node whose Cycles break off, it would lie about and no Round judge it.",
        "autoscaler/handover.py",
        " or not _works(beat, taken)",
        "",
        (TAKEOVER + "who_cannot_list_the_fleet_loses_its_share_to_one_who_can",),
    ),
    # --- reboots ---
    Guard(
        "reboot only while all are heard",
        "Else two of two could be down.",
        "autoscaler/debt.py",
        "trouble = trouble or self._alone(nodes)",
        "trouble = trouble or ''",
        (REBOOT + "only_while_all_others_are_heard",),
    ),
    Guard(
        "one reboot at a time",
        "Two that owe one go one after the other.",
        "autoscaler/debt.py",
        "            trouble = lease.take()\n",
        "            lease.take()\n",
        (REBOOT + "two_that_owe_reboot_one_after_the_other",),
    ),
    Guard(
        "a lost reboot blocks nobody for ever",
        "A node that did not come back in ten minutes has lost its lease.",
        "autoscaler/reboot.py",
        "if there.node not in (0, ours.node) and found.date - found.modified <= LONGEST:",
        "if there.node not in (0, ours.node):",
        (REBOOT + "a_node_that_does_not_come_back_blocks_nobody_for_ever",),
    ),
    Guard(
        "back from its reboot it says so",
        "The others need not wait ten minutes.",
        "autoscaler/cycle.py",
        "        self.debt.back(boot)\n",
        "        pass\n",
        (REBOOT + "two_that_owe_reboot_one_after_the_other",),
    ),
    Guard(
        "leases are fresh as a node goes down",
        "A boot shorter than a lease causes no takeover.",
        "autoscaler/debt.py",
        "            holding.book.renew()  # a boot shorter than a lease causes no takeover\n",
        "            pass\n",
        (REBOOT + "its_leases_are_fresh_as_it_goes_down",),
    ),
    # --- doubts, and the limit on removals ---
    Guard(
        "a doubt is dated after its answer",
        "Our clock may have stood still: the wait counts from a date heard after the answer.",
        "autoscaler/builds.py",
        "                self._book.open()\n",
        "                pass\n",
        (FOUND + "a_doubt_is_dated_after_a_freeze_and_not_by_the_clock_that_stood_still",),
    ),
    Guard(
        "a time-out's doubt waits for a later run",
        "A post that still hangs may leave at any moment; only a later run proves that it cannot.",
        "autoscaler/builds.py",
        "left = None if isinstance(answer, TimeoutError) else at",
        "left = at",
        (MADE_SURE + "a_create_that_still_runs_is_dated_by_no_one_but_a_later_run",),
    ),
    Guard(
        "the dead wait for the limit",
        "A removal for ill health is made sure like any other, or waits.",
        "autoscaler/look.py",
        "for record in ended[:room]:",
        "for record in ended:",
        (MADE_SURE + "the_dead_wait_for_the_limit",),
    ),
    Guard(
        "the dead count for the limit",
        "So many in an interval, for all causes together.",
        "autoscaler/look.py",
        "    room -= len(sure)\n",
        "    pass\n",
        (MADE_SURE + "the_dead_count_for_the_limit",),
    ),
    Guard(
        "what others have said counts for the limit",
        "Of two shares that remove at once one sees the other.",
        "autoscaler/look.py",
        "return sure + sum(1 for r in others if r.unsure)",
        "return sure",
        (MADE_SURE + "what_another_share_has_said_counts",),
    ),
    Guard(
        "a dead one that waits is not sealed",
        "Two shares whose dead are too many together would else wait for each other for ever.",
        "autoscaler/look.py",
        "        records[record.name] = record.into(State.FAILED, at, record.reason)\n",
        "        pass\n",
        (MADE_SURE + "two_shares_whose_dead_wait_for_each_other_do_not_wait_for_ever",),
    ),
    Guard(
        "what was posted is not struck out",
        "A machine may be there under that name, so its record stays.",
        "autoscaler/look.py",
        "[r for r in said if r.name not in looking.posted]",
        "list(said)",
        (MADE_SURE + "what_was_posted_is_not_struck_out",),
    ),
    Guard(
        "a doubt of another run is not waited for",
        "New wishes would wait with it, for up to an hour.",
        "autoscaler/holding.py",
        "return [r.name for r in going if r.id is not None or r.left is not None]",
        "return [r.name for r in going]",
        (MADE_SURE + "a_cycle_does_not_wait_for_a_doubt_that_only_another_run_can_end",),
    ),
)
