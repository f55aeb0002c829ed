"""Guards of the two procedures: order, races, the last word of the Store."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["WORLD"]

SEVERAL = "tests/autoscaler/test_several_balancers.py::test_"
ORDER = "tests/autoscaler/test_guard_order.py::test_"
RACE = "tests/autoscaler/test_guard_race.py::test_"
MORE = "tests/autoscaler/test_guard_more.py::test_"
REBOOT = "tests/autoscaler/test_guard_reboot.py::test_"
TAKEOVER = "tests/autoscaler/test_takeover.py::test_"
FAILURES = "tests/autoscaler/test_ancestors_failures.py::test_"

WORLD: tuple[Guard, ...] = (
    # --- say, look again, do ---
    Guard(
        "record before deed",
        "All new states are in the Store before anything is asked of Provider or Balancer.",
        "autoscaler/turn.py",
        "            return said(plan, tended)\n\n        self._book.change(edit)\n",
        "            return said(plan, tended)\n\n        self._book._share = edit(self._book.share)\n",
        (ORDER + "the_record_is_in_the_store_before_the_deed",),
    ),
    Guard(
        "seal before destroy",
        "`deleting` is in the Store before the end of a drained one is asked for.",
        "autoscaler/deeds.py",
        "            self._book.change(partial(sealed_off, steps=drained,",
        "            for one in leaving:\n                self._world.provider.delete(one.id or '')\n"
        "            self._book.change(partial(sealed_off, steps=drained,",
        (ORDER + "the_record_is_in_the_store_before_the_deed",),
    ),
    Guard(
        "`out` before withdraw",
        "A removal that has not passed the second look keeps its visitors.",
        "autoscaler/deeds.py",
        "if record is None or record.state is not State.DRAINING or record.out is None:\n                out.",
        "if record is None or record.state is not State.DRAINING:\n                out.",
        (ORDER + "a_draining_one_without_out_is_not_withdrawn",),
    ),
    Guard(
        "the look is taken: max",
        "Two shares that build at once do not exceed max together.",
        "autoscaler/turn.py",
        "self._look(inputs, plan) if plan.resizes else ()",
        "self._look(inputs, plan) if plan.of(Kind.WITHDRAW) else ()",
        (RACE + "two_that_build_at_once_never_exceed_max",),
    ),
    Guard(
        "the look is taken: floor",
        "A removal is taken back when others fell before it was said.",
        "autoscaler/turn.py",
        "shares = all_shares(self._world.store, self._time, self._book.share)",
        "shares = inputs.fleet.seeing(self._book.share).shares",
        (RACE + "two_that_remove_at_once_never_go_below_the_floor",),
    ),
    Guard(
        "`deleting` is final: not admitted",
        "Who is leaving is never admitted again.",
        "autoscaler/deeds.py",
        "        if record is None or record.state not in (State.READY, State.UP):\n",
        "        if record is None:\n",
        (MORE + "who_is_leaving_is_not_admitted_not_even_for_a_moment",),
    ),
    Guard(
        "`deleting` is final: not judged",
        "What a Cycle sealed while a Round was asking is not judged by that Round.",
        "autoscaler/treatment.py",
        "        if now is None or unjudged(before, now):\n",
        "        if now is None:\n",
        (RACE + "what_a_cycle_sealed_meanwhile_a_round_does_not_judge",),
    ),
    Guard(
        "destroyed is only what is sealed",
        "Without `deleting` in its record nothing is destroyed.",
        "autoscaler/deeds.py",
        "id = step.id or (record.id if record is not None and record.state is State.DELETING else None)",
        "id = step.id or (record.id if record is not None else None)",
        (ORDER + "only_what_is_sealed_is_destroyed",),
    ),
    Guard(
        "deleting goes by id",
        "Never by a name, which may stand twice, or an address, which is used again.",
        "autoscaler/deeds.py",
        "            self._world.provider.delete(id)\n",
        "            self._world.provider.delete(step.name)\n",
        (ORDER + "destroyed_is_by_id",),
    ),
    Guard(
        "a drain begins when every balancer has let go",
        "As long as one had it its visitors came: it is not destroyed under them.",
        "autoscaler/deeds.py",
        "waited = self._time.now() - (record.away or",
        "waited = self._time.now() - (record.out or",
        (SEVERAL + "a_drain_begins_when_the_last_balancer_has_let_go",),
    ),
    Guard(
        "who said that it drains meant this removal",
        "One that was taken back and said again drains anew.",
        "autoscaler/removal.py",
        "return leaving and record.away is not None and record.away >= (record.out or 0.0)",
        "return leaving and record.away is not None",
        (SEVERAL + "a_removal_said_again_drains_again",),
    ),
    Guard(
        "a balancer that cannot be asked keeps no visitor at another",
        "An ill one goes from all that can be asked, whatever their order.",
        "autoscaler/deeds.py",
        "                trouble = trouble or err\n                continue\n",
        "                raise\n",
        (SEVERAL + "an_ill_one_goes_from_those_that_can_be_asked",),
    ),
    Guard(
        "one that is out of some balancers stays out",
        "It is UP and ill: the Round that took it out would at once put it back.",
        "autoscaler/treatment.py",
        "partly = done.outcome is Outcome.UNKNOWN and len(self._world.balancers) > 1",
        "partly = False",
        (SEVERAL + "an_ill_one_goes_from_those_that_can_be_asked",),
    ),
    Guard(
        "only up when a balancer read it back",
        "While no Balancer has it, it is ready, not up.",
        "autoscaler/deeds.py",
        "if lacking and len(lacking) == len(self._world.balancers):",
        "if False:",
        (ORDER + "up_only_when_a_balancer_has_it",),
    ),
    Guard(
        "the last admitted is never withdrawn: asked so",
        "The core asks every Balancer to leave one.",
        "autoscaler/deeds.py",
        "away = balancer.withdraw(step.name, 1)\n            except",
        "away = balancer.withdraw(step.name, 0)\n            except",
        (FAILURES + "the_last_admitted_one_is_never_withdrawn",),
    ),
    Guard(
        "the last admitted is never withdrawn: not even dead",
        "The last one stays listed until another is.",
        "autoscaler/deeds.py",
        "if balancer.withdraw(step.name, 1):",
        "if balancer.withdraw(step.name, 0):",
        (ORDER + "the_last_one_stays_listed_until_another_is",),
    ),
    # --- the kill switch, before each step ---
    Guard(
        "kill switch before a create",
        "It is read again before each.",
        "autoscaler/builds.py",
        "                self._gate.enter(Kind.CREATE, step.healing)\n",
        "",
        (ORDER + "the_kill_switch_is_read_before_each_step[1-3-create]",),
    ),
    Guard(
        "kill switch before a withdraw",
        "It is read again before each.",
        "autoscaler/deeds.py",
        "            self._gate.enter(Kind.WITHDRAW, step.healing)\n",
        "            pass\n",
        (ORDER + "the_kill_switch_is_read_before_each_step[3-2-withdraw]",),
    ),
    Guard(
        "kill switch before a destroy",
        "It is read again before each.",
        "autoscaler/deeds.py",
        "            self._gate.enter(Kind.DESTROY, step.healing)\n",
        "",
        (ORDER + "the_kill_switch_is_read_before_a_destroy",),
    ),
    # --- an error is not an answer ---
    Guard(
        "an error in a listing is not empty",
        "A Provider that cannot be asked ends the Cycle before anything is decided.",
        "autoscaler/observe.py",
        "    listing = world.listings.fetch(oldest)\n",
        "    from autoscaler.ports import Listing\n    try:\n        listing = world.listings.fetch(oldest)\n"
        "    except Unreachable:\n        listing = Listing(0.0, ())\n",
        (FAILURES + "an_api_error_that_looks_like_an_empty_listing_deletes_and_kills_nothing",),
    ),
    Guard(
        "an error by id is no 404",
        "An id that could not be asked is not absent.",
        "autoscaler/observe.py",
        "return tuple(sorted(id for id, answer in answers.items() if answer is None))",
        "return tuple(sorted(id for id, answer in answers.items() if not isinstance(answer, Server)))",
        (ORDER + "an_id_that_could_not_be_asked_is_not_absent",),
    ),
    Guard(
        "an unreadable share is not empty",
        "A share's document that cannot be read ends the Cycle.",
        "autoscaler/roll.py",
        "        found[number] = Standing(read_share(stored.body, key), stored)\n",
        "        try:\n            found[number] = Standing(read_share(stored.body, key), stored)\n"
        "        except DocumentFault:\n            continue\n",
        (RACE + "a_roll_with_an_unreadable_share_is_none",),
    ),
    # --- health ---
    Guard(
        "brake: nobody is withdrawn",
        "Behind the brake a Round withdraws nobody.",
        "autoscaler/treatment.py",
        "            if fate.do in _AWAY and not judging.records[name].withdrawn:\n",
        "            if judging.readings[name] and not judging.records[name].withdrawn:\n",
        (ORDER + "behind_the_brake_nobody_is_withdrawn_not_even_for_a_moment",),
    ),
    Guard(
        "whom a Cycle took out is not admitted again",
        "The record is read again before a Balancer is set right.",
        "autoscaler/reconciling.py",
        "kind = self._differs(record, admitted) if record is not None else None",
        "kind = Kind.WITHDRAW if name in admitted else Kind.ADMIT",
        (MORE + "whom_a_cycle_takes_out_before_a_balancer_is_set_right_is_not_admitted",),
    ),
    Guard(
        "whom a Cycle takes out meanwhile is put out again",
        "The record is read again after a Balancer was set right.",
        "autoscaler/reconciling.py",
        "        if after is None or self._out(after):\n",
        "        if False:\n",
        (RACE + "whom_a_cycle_takes_out_while_a_round_admits_is_put_out_again",),
    ),
    Guard(
        "whom a Cycle took out is not judged",
        "A Round reads its share anew before it believes that any fail.",
        "autoscaler/round.py",
        "        if acting and any(b.judging.records for b in bulletins):\n",
        "        if False:\n",
        (RACE + "whom_a_cycle_took_out_while_a_round_climbed_is_not_judged_dead",),
    ),
    # --- the Store ---
    Guard(
        "compare-and-swap recomputes",
        "A change that lost a race is made again on what the other wrote.",
        "autoscaler/book.py",
        "            after = edit(before)\n            if after == before and not always:\n",
        "            after = after if attempt else edit(before)\n"
        "            if after == before and not always:\n",
        (RACE + "a_change_is_made_again_on_what_the_other_wrote",),
    ),
    Guard(
        "a Plan is decided anew",
        "A Plan whose put lost a race is decided again, on what the other wrote.",
        "autoscaler/turn.py",
        "            asked = inputs.seeing(share)\n",
        "            asked = inputs\n",
        (RACE + "a_plan_is_decided_anew_on_what_the_other_wrote",),
    ),
    Guard(
        "another holder is never written over",
        "Who does not hold the lease touches nothing.",
        "autoscaler/book.py",
        "        if not held:\n",
        "        if False:\n",
        (TAKEOVER + "a_share_that_is_lost_between_read_and_put_is_not_written_over",),
    ),
    Guard(
        "without conditional writes another machine is refused",
        "Within the hour of its last write.",
        "autoscaler/book.py",
        'if alone and share.machine not in ("", mine.machine) and self._time.now() - modified < 3600:',
        "if False:",
        (RACE + "without_conditional_writes_another_machine_within_the_hour_is_refused",),
    ),
    # --- who acts at all ---
    Guard(
        "ordinals above NO_AUTOSCALERS",
        "A node without a share says so and does nothing.",
        "autoscaler/errand.py",
        "        if self.node.ordinal <= wish.nodes or self.hold(self.node.ordinal).book.peek().billable:\n",
        "        if True:\n",
        (FAILURES + "a_node_beyond_no_autoscalers_says_so_and_exits_3",),
    ),
    Guard(
        "observe does nothing: Cycle",
        "In mode observe all is decided and no machine is touched.",
        "autoscaler/handover.py",
        "        if self._errand.deployment.mode is Mode.OBSERVE:\n",
        "        if False:\n",
        (FAILURES + "observe_decides_and_says_and_does_nothing",),
    ),
    Guard(
        "observe does nothing: turn",
        "In mode observe all is decided and no machine is touched.",
        "autoscaler/turn.py",
        "        if self._deployment.mode is Mode.OBSERVE:\n",
        "        if False:\n",
        (FAILURES + "observe_decides_and_says_and_does_nothing",),
    ),
    Guard(
        "observe does nothing: Round",
        "In mode observe nobody is withdrawn.",
        "autoscaler/round.py",
        "        acting = self.deployment.mode is Mode.PRODUCTION\n",
        "        acting = True\n",
        (ORDER + "observe_withdraws_nobody",),
    ),
    Guard(
        "clock skew, no deeds: Cycle",
        "A clock far from the Store's forbids all deeds.",
        "autoscaler/cycle.py",
        "        self.begin(boot=boot,",
        "        self.heart = (lambda **_: self.pulse.listen())(boot=boot,",
        (FAILURES + "a_clock_far_from_the_stores_does_no_deeds",),
    ),
    Guard(
        "clock skew, no deeds: Round",
        "A clock far from the Store's forbids all deeds.",
        "autoscaler/round.py",
        "        self.begin()\n",
        "        self.heart = self.pulse.listen()\n",
        (ORDER + "a_round_whose_clock_is_off_judges_nobody",),
    ),
    # --- the node's own reboot ---
    Guard(
        "reboot only earned",
        "By a create or a removal that was done.",
        "autoscaler/debt.py",
        "cycle.world.machine.can_reboot() and (earned(done) or before == boot)",
        "cycle.world.machine.can_reboot()",
        (REBOOT + "nobody_reboots_who_did_nothing",),
    ),
    Guard(
        "reboot only earned by what was done",
        "A create that was refused earns nothing.",
        "autoscaler/account.py",
        "return any(d.step.kind in kinds and d.outcome is Outcome.DONE for d in done)",
        "return any(d.step.kind in kinds for d in done)",
        (REBOOT + "a_create_that_was_refused_earns_nothing",),
    ),
    Guard(
        "reboot never within ten minutes of a boot",
        "Whatever is owed.",
        "autoscaler/observe.py",
        "    if uptime < least_uptime:\n",
        "    if False:\n",
        (REBOOT + "never_within_ten_minutes_of_a_boot",),
    ),
    Guard(
        "reboot not while anything is in flight",
        "A build or a removal under way is ended first.",
        "autoscaler/cycle.py",
        "is Mode.PRODUCTION and not self.in_flight() and self.debt",
        "is Mode.PRODUCTION and self.debt",
        (REBOOT + "not_while_a_build_is_in_flight",),
    ),
)
