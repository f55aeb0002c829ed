"""Guards of the edges: stores, balancers, servers, SSH, schedules, the ground."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["EDGES"]

EDGE = "tests/guards/test_edges.py::test_"
S3 = "tests/providerscripts/store/test_s3.py::test_"
BALANCER = "tests/providerscripts/balancers/test_contract.py::test_"
HAPROXY = "tests/providerscripts/balancers/test_haproxy.py::test_"
WHOLE = "tests/providerscripts/balancers/test_wholefile.py::test_"
SSH = "tests/providerscripts/remote/test_session.py::test_"
DAILY = "tests/cron/test_daily.py::test_"
FIRING = "tests/cron/test_firing.py::test_"
ADOPT = "tests/helperscripts/test_schedule_adopt.py::test_"
TABLE = "tests/cron/test_table.py::test_"

JOURNAL = "tests/providerscripts/store/test_journal.py::test_"
PRUNING = "tests/helperscripts/test_pruning.py::test_"
HOOKS = "tests/helperscripts/test_hooks.py::test_"
ALARMS = "tests/helperscripts/test_alarms.py::test_"
HISTORY = "tests/helperscripts/test_history.py::test_"

EDGES: tuple[Guard, ...] = (
    # --- the Journal ---
    Guard(
        "the Journal's age is judged by the Store's clock",
        "A machine in another year throws nothing away.",
        "providerscripts/store/journal.py",
        "datetime.fromtimestamp(newest.date, UTC).date() - timedelta(days=keep_days)",
        "datetime.fromtimestamp(self._clock.now(), UTC).date() - timedelta(days=keep_days)",
        (PRUNING + "a_clock_in_another_year_removes_nothing",),
    ),
    Guard(
        "a prune is bounded",
        "A Journal of years delays no tick by more than so many deletes.",
        "providerscripts/store/journal.py",
        "if (day := _DAY.match(key)) and day[1] < first][:most]",
        "if (day := _DAY.match(key)) and day[1] < first]",
        (PRUNING + "a_thousand_old_ones_go_in_three_ticks_and_then_none_until_tomorrow",),
    ),
    Guard(
        "what cannot be read touches anybody",
        "An entry that nobody can read is told, whatever was asked for.",
        "helperscripts/journal_lines.py",
        "return bool(noted.fault) or any(",
        "return any(",
        (HISTORY + "what_cannot_be_read_is_told_and_not_hidden",),
    ),
    Guard(
        "the Journal steers no terminal",
        "Whoever writes into the Store does not write to a reader's terminal.",
        "helperscripts/journal_lines.py",
        'return _CONTROL.sub("", ',
        'return str(',
        (HISTORY + "what_the_store_holds_steers_no_terminal_and_ends_no_history",),
    ),
    Guard(
        "a wish that cannot be journalled is done",
        "What was written is written: the Journal's trouble is told and changes no exit code.",
        "helperscripts/wishes.py",
        "    except Unreachable as err:\n        complain",
        "    except ZeroDivisionError as err:\n        complain",
        (HISTORY + "a_wish_that_cannot_be_journalled_is_a_wish_all_the_same",),
    ),
    # --- hooks ---
    Guard(
        "a hook that hangs dies with all it started",
        "Each tick would leave another process behind.",
        "helperscripts/hooks.py",
        "os.killpg(process.pid, signal.SIGKILL)",
        "process.kill()",
        (HOOKS + "one_that_hangs_is_killed_with_all_it_started",),
    ),
    Guard(
        "a hook that floods stderr fills no memory",
        "A machine that the autoscaler itself brings down heals nobody.",
        "helperscripts/hooks.py",
        "            del said[:-_KEPT]\n",
        "",
        (HOOKS + "one_that_floods_stderr_fills_no_memory",),
    ),
    Guard(
        "an alarm that was not heard is told again",
        "A mail server that was away swallows no alarm.",
        "helperscripts/alarms.py",
        "deadline):\n                    break\n                _settle",
        "deadline):\n                    pass\n                _settle",
        (ALARMS + "what_could_not_be_told_is_told_the_next_time",),
    ),
    Guard(
        "who could not look ends no alarm",
        "A Round without a Store does not say that the brake is off.",
        "helperscripts/alarms.py",
        "and (not unsure or what == self.verb)",
        "",
        (ALARMS + "who_could_not_look_clears_nothing",),
    ),
    Guard(
        "a dead crontab does not look alive",
        "A person's tick neither beats nor tells.",
        "helperscripts/aftermath.py",
        "    if cron:\n",
        "    if True:\n",
        (HOOKS + "a_tick_that_turns_bad_and_good_again",),
    ),
    # --- stores ---
    Guard(
        "S3: only NoSuchKey is absent",
        "A 403, a missing bucket or a proxy's 404 is no absent object.",
        "providerscripts/store/s3.py",
        'if status == 404 and code == "NoSuchKey" and (call != "put_object" or "IfMatch" in arguments):',
        'if status in (403, 404) and (call != "put_object" or "IfMatch" in arguments):',
        (
            S3 + "refusals_are_told_with_the_way_out[404-NoSuchBucket-there is no bucket bucket; make it]",
            S3 + "refusals_are_told_with_the_way_out[403-AccessDenied-ListBucket]",
        ),
    ),
    Guard(
        "S3: another's 404 is no absence",
        "A page that says 404 and not NoSuchKey is a Store that cannot be asked.",
        "providerscripts/store/s3.py",
        'if status == 404 and code == "NoSuchKey" and (',
        "if status == 404 and (",
        (S3 + "a_404_of_something_else_is_not_an_absent_object",),
    ),
    Guard(
        "S3: a listing is complete",
        "A listing that says there is more and gives no next page is no listing.",
        "providerscripts/store/s3.py",
        'raise StoreUnreachable(f"{self.where}: cannot list: there is more, but no next page was given")\n',
        "return sorted(set(found))\n",
        (S3 + "a_listing_that_ends_too_early_is_no_listing",),
    ),
    Guard(
        "file store: swap under its lock",
        "Compare and rename are one, among all processes.",
        "providerscripts/store/file.py",
        "self._unfinished(key, body) as temp, self._locked(key):\n            try:\n",
        "self._unfinished(key, body) as temp:\n            try:\n",
        (EDGE + "a_swap_compares_under_the_lock",),
    ),
    Guard(
        "file store: put under the lock",
        "No put falls between a swap's compare and its rename.",
        "providerscripts/store/file.py",
        "self._unfinished(key, body) as temp, self._locked(key):\n            date",
        "self._unfinished(key, body) as temp:\n            date",
        ("tests/providerscripts/store/test_file.py::test_a_swap_and_a_put_at_once_never_lose_the_put_unseen",),
    ),
    Guard(
        "file store: no folder is no empty store",
        "A share that is not mounted must not look like an absent kill switch.",
        "providerscripts/store/file.py",
        "            os.stat(self.root)  # says why, when it cannot even be looked at\n"
        '            raise NotADirectoryError(errno.ENOTDIR, "not a directory", self.root)\n',
        "            return\n",
        ("tests/providerscripts/store/test_file.py::test_a_folder_that_is_not_there_is_no_empty_store",),
    ),
    # --- balancers ---
    Guard(
        "the last admitted is never withdrawn: memory",
        "False, and nothing changed, when fewer than `leave` others would stay.",
        "providerscripts/balancers/memory.py",
        "            if len(self._admitted) - 1 < leave:\n",
        "            if False:\n",
        (BALANCER + "withdraw_leaves_the_last_one[memory]",),
    ),
    Guard(
        "the last admitted is never withdrawn: hosts",
        "False, and nothing changed, when fewer than `leave` others would stay.",
        "providerscripts/balancers/hosts.py",
        "            if len(rest) < leave:\n",
        "            if False:\n",
        (BALANCER + "withdraw_leaves_the_last_one[hosts]",),
    ),
    Guard(
        "the last admitted is never withdrawn: haproxy",
        "False, and nothing changed, when fewer than `leave` others would stay.",
        "providerscripts/balancers/haproxy.py",
        "                if len(serving if mine.serving else others) < leave:\n",
        "                if False:\n",
        (BALANCER + "withdraw_leaves_the_last_one[haproxy]",),
    ),
    Guard(
        "haproxy: one that is down is no other",
        "The one that answers is not withdrawn because one that is down is admitted too.",
        "providerscripts/balancers/haproxy.py",
        "                if len(serving if mine.serving else others) < leave:\n",
        "                if len(others) < leave:\n",
        (HAPROXY + "the_last_one_that_answers_is_not_withdrawn_for_one_that_is_down",),
    ),
    Guard(
        "haproxy: hand-written servers are the operator's",
        "A name that stands outside our block is refused.",
        "providerscripts/balancers/haproxy.py",
        "        if name in layout.foreign:\n",
        "        if False:\n",
        (HAPROXY + "a_hand_written_server_is_nobodys_but_the_operators",),
    ),
    Guard(
        "balancer: a name is never a command",
        "What could be read as more than a name is refused.",
        "providerscripts/balancers/members.py",
        "    if not _NAME.fullmatch(name):\n",
        "    if False:\n",
        tuple(f"{BALANCER}what_could_be_read_as_more_is_refused[{kind}-member0]" for kind in ("memory", "hosts")),
    ),
    Guard(
        "balancer file: proof before it replaces",
        "A version that is not good never replaces the old one.",
        "providerscripts/balancers/wholefile.py",
        "                verify(self.next)\n",
        "                pass\n",
        (WHOLE + "a_version_that_is_not_good_leaves_nothing",),
    ),
    # --- servers and SSH ---
    Guard(
        "local: a pid used again is another process",
        "A process with another start time or boot is never signalled.",
        "providerscripts/servers/processes.py",
        "    return process_of(process.pid) == process\n",
        "    return process_of(process.pid) is not None\n",
        ("tests/providerscripts/servers/test_local.py::test_a_pid_used_again_is_never_mistaken",),
    ),
    Guard(
        "host key compared before login",
        "Where another key answers nobody says a word of login.",
        "providerscripts/remote/session.py",
        "        if not pin.same(self.key):\n",
        "        if False:\n",
        (SSH + "nobody_logs_in_where_another_key_answers[ParamikoSsh]",),
    ),
    Guard(
        "what paramiko waits for without end is cut",
        "A login or a command whose answer never comes ends when its patience does.",
        "providerscripts/remote/session.py",
        "                        end()\n",
        "                        pass\n",
        (SSH + "one_watch_ends_what_is_overdue_and_nothing_else",),
    ),
    Guard(
        "a broken connection is no rejection",
        "A connection that broke during the login convicts nobody.",
        "providerscripts/remote/session.py",
        "            if not self._transport.is_active():\n",
        "            if False:\n",
        (EDGE + "a_connection_that_breaks_during_the_login_is_no_rejection",),
    ),
    # --- when ---
    Guard(
        "an event is applied once",
        "Though n nodes fire it.",
        "cron/daily.py",
        "    if done is not None:\n",
        "    if False:\n",
        (DAILY + "n_nodes_and_a_day_of_hourly_lines_count_each_hour_once",),
    ),
    Guard(
        "an event older than its memory is not applied",
        "Nobody could tell whether it was.",
        "cron/daily.py",
        "    if event.instant <= now - KEEP_EVENTS:\n",
        "    if False:\n",
        (DAILY + "an_event_older_than_its_memory_is_not_applied",),
    ),
    Guard(
        "a scaleup never lowers, a scaledown never raises",
        "12 is already above 8: nothing to do.",
        "cron/daily.py",
        "    if (held > target) is up:\n",
        "    if False:\n",
        (DAILY + "the_table",),
    ),
    Guard(
        "crontab: foreign lines are untouched",
        "What stands behind our block comes back byte for byte.",
        "cron/block.py",
        "return text[: found.start] + marked(tag, lines, found.note) + text[found.end :]",
        "return text[: found.start] + marked(tag, lines, found.note) + text[found.end :].lstrip()",
        (EDGE + "an_update_leaves_what_stands_below_our_block",),
    ),
    Guard(
        "crontab: a last line without newline",
        "It comes back without.",
        "cron/block.py",
        'return f"{text}\\n{marked(tag, lines, _NO_NEWLINE)}"',
        'return f"{text}\\n{marked(tag, lines)}"',
        (TABLE + "in_and_out_again_leaves_every_byte",),
    ),
    Guard(
        "crontab: bytes that are no text",
        "A line in another encoding comes back byte for byte.",
        "cron/tab.py",
        '_BYTES = ("utf-8", "surrogateescape")',
        '_BYTES = ("utf-8", "replace")',
        (TABLE + "in_and_out_again_leaves_every_byte",),
    ),
    Guard(
        "crontab: broken markers are not guessed at",
        "A block that does not end is told, and nothing is touched.",
        "cron/block.py",
        "    if faults:\n        raise DocumentFault(where, faults)\n",
        "",
        (TABLE + "broken_markers_are_told_and_nothing_is_touched",),
    ),
    Guard(
        "crontab: one that fails is not empty",
        "A crontab program that fails is no empty crontab to write over.",
        "cron/tab.py",
        '        raise Unreachable(f"{self.where} cannot be read: {said or f\'crontab -l ended with {status}\'}")\n',
        "        return None\n",
        (EDGE + "a_crontab_that_cannot_be_read_is_never_written_over",),
    ),
    Guard(
        "what was missed comes before a call's own change",
        "Its stamp would put the missed events out of every later replay's sight.",
        "cron/firing.py",
        "    edit = decide(missed.profile or seen.profile)\n",
        "    edit = decide(seen.profile)\n",
        (FIRING + "a_line_written_by_hand_replays_what_was_missed_first",),
    ),
    Guard(
        "an entry is done as of its instant",
        "Two entries of one instant come in one order, whichever a clock that is ahead calls first.",
        "cron/firing.py",
        "    now = Instant(max(seen.now, one.at))\n",
        "    now = seen.now\n",
        (FIRING + "two_of_one_instant_come_in_one_order_whichever_is_called_first",),
    ),
    Guard(
        "schedule adopt: nothing else of the Deployment is touched",
        "The text that comes out is read again, and is what it was plus the entries.",
        "cron/inscription.py",
        "    if not after or not _is(after, before, entries):\n",
        "    if not after:\n",
        (ADOPT + "what_cannot_be_put_in_safely_is_given_to_paste",),
    ),
    Guard(
        "schedule adopt: what the lines did is not done again",
        "Entries that come in today have missed nothing.",
        "helperscripts/verbs/schedule_adopt.py",
        "    forgo(ask, new)\n",
        "",
        (ADOPT + "what_the_lines_did_is_not_done_again_as_if_it_were_missed",),
    ),
    Guard(
        "deployment.yaml: another's edit is not written over",
        "Between the read and the put of `arm` or `schedule adopt` somebody else may write.",
        "helperscripts/inscription.py",
        "            store.swap(KEY, after.encode(), found.version)\n",
        "            store.put(KEY, after.encode())\n",
        ("tests/helperscripts/test_inscription.py::test_what_another_writes_between_our_read_and_our_put_stays",),
    ),
    Guard(
        "schedule adopt: a line is not narrowed to its weekdays",
        "Cron runs `0 7 1-31 * 1` daily: either of two restricted day fields suffices.",
        "cron/table.py",
        "    if len(days) == 31 and _either(when):\n",
        "    if False:\n",
        ("tests/cron/test_handwritten.py::test_its_times_become_entries",),
    ),
    Guard(
        "schedule adopt: another Store's line stays",
        "It changes another fleet's number.",
        "helperscripts/moving.py",
        "    if theirs and theirs != ours.store:\n",
        "    if False:\n",
        (ADOPT + "a_line_for_another_store_stays",),
    ),
    Guard(
        "schedule adopt: a line that does more stays",
        "What else it does would be lost.",
        "cron/handwritten.py",
        "            return options, numbers, f\"{word!r} in its command is nothing that an entry can say\"\n",
        "            continue\n",
        ("tests/cron/test_handwritten.py::test_what_no_entry_can_say_is_told_with_its_reason",),
    ),
    # --- the ground ---
    Guard(
        "file lock: its holder is untouched",
        "Who does not get it writes nothing into it.",
        "utilities/filelock.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            os.ftruncate(descriptor, 0)\n"
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        (EDGE + "who_does_not_get_a_lock_leaves_its_holders_name",),
    ),
    Guard(
        "file lock: one holder",
        "A second process is told at once who has it.",
        "utilities/filelock.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        (EDGE + "who_does_not_get_a_lock_leaves_its_holders_name",),
    ),
    Guard(
        "file lock: it stays in place",
        "Removed, two could lock two files of one name.",
        "utilities/filelock.py",
        "            os.close(descriptor)\n",
        "            os.close(descriptor)\n            path.unlink()\n",
        (EDGE + "a_lock_file_stays_where_it_is",),
    ),
    Guard(
        "YAML: no key twice",
        "The second of two equal keys does not win in silence.",
        "utilities/documents.py",
        "    if faults:\n        raise DocumentFault(where, faults)\n",
        "",
        (EDGE + "a_key_that_stands_twice_is_refused",),
    ),
)
