"""Guards of what rents by an engine or by an operator's program."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["ENGINES"]

COMMAND = "tests/providerscripts/servers/test_command.py::test_"
DOCKER = "tests/providerscripts/servers/test_docker.py::test_"

LOST = "tests/providerscripts/servers/test_docker.py::test_a_create_without_an_answer_is_in_doubt_and_shows"

ENGINES: tuple[Guard, ...] = (
    # --- a program of the operator's ---
    Guard(
        "a program's listing that is not understood is none",
        "Half a listing, or one in other words, never looks like an empty account.",
        "providerscripts/servers/command.py",
        'raise self._unread("list", err) from err',
        "return ()",
        (COMMAND + "a_listing_that_is_not_understood_is_never_an_empty_one",),
    ),
    Guard(
        "a no that is not documented is a doubt",
        "Only the words that mean `nothing was made` are taken for it.",
        "providerscripts/servers/command_run.py",
        "return told if told in CODES.values() else None",
        'return told if told in CODES.values() else "invalid"',
        (COMMAND + "what_an_ending_means_for_a_deed",),
    ),
    Guard(
        "exit code 0 without an answer is a doubt",
        "Whoever says that it went well says what was made, or it is in doubt.",
        "providerscripts/servers/command_run.py",
        'return self.code == 0 and self.readable and not (self.said and "error" in self.said)',
        "return self.code == 0",
        (COMMAND + "what_an_ending_means_for_a_deed",),
    ),
    Guard(
        "a time-out ends the whole group",
        "What the program started does not go on making a machine.",
        "providerscripts/servers/command_run.py",
        "os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own",
        "process.kill()",
        (COMMAND + "a_time_out_kills_the_whole_group_and_a_create_is_in_doubt",),
    ),
    Guard(
        "an id is never an option",
        "A vendor's id that begins with a dash reaches no program's argv.",
        "providerscripts/servers/command_answer.py",
        r"[^\s\-\x00-\x1f\x7f]",
        r"[^\s\x00-\x1f\x7f]",
        (COMMAND + "a_listing_that_is_not_understood_is_never_an_empty_one",),
    ),
    Guard(
        "a program's address is an address",
        "No text that a program tells reaches a balancer's file or a zone as an address.",
        "providerscripts/servers/command_answer.py",
        "            ip_address(value)\n",
        "            str(value)\n",
        (COMMAND + "a_listing_that_is_not_understood_is_never_an_empty_one",),
    ),
    Guard(
        "a program that hands out another server is in doubt",
        "Only an answer that tells of what was ordered binds an id.",
        "providerscripts/servers/command.py",
        "if (server.name, server.pool) != (order.name, self.pool):",
        "if not server.name:",
        (COMMAND + "an_answer_to_a_create_that_tells_of_another_is_in_doubt",),
    ),
    # --- an engine ---
    Guard(
        "a name is no id",
        "A delete goes by the whole id, though the engine would take a name or a part of it.",
        "providerscripts/servers/docker.py",
        "        if not _ID.fullmatch(id):\n            return\n",
        "",
        (DOCKER + "a_name_or_a_part_of_an_id_is_no_id",),
    ),
    Guard(
        "ports are looked at once more",
        "Two nodes that drew the same port do not both keep it.",
        "providerscripts/servers/docker.py",
        "if clash := others & set(ports):",
        "if clash := set(ports) - set(ports):",
        (DOCKER + "who_finds_its_port_on_another_container_yields",),
    ),
    Guard(
        "a stopped container keeps its ports",
        "The engine would give them away; the labels do not.",
        "providerscripts/servers/docker_container.py",
        "found |= {port for key in (WEB_PORT, SSH_PORT) if (port := _port(labels.get(key)))}",
        "continue",
        (DOCKER + "a_stopped_containers_ports_are_not_given_to_another",),
    ),
    Guard(
        "a stranger's stopped container keeps its ports",
        "No listing tells them: whoever took them would keep it from starting again.",
        "providerscripts/servers/docker.py",
        "found |= asked_ports(inspected) if inspected else set()",
        "pass",
        (DOCKER + "a_strangers_ports_are_spared_before_it_runs_and_after",),
    ),
    Guard(
        "what the engine cannot start is removed",
        "A create that is refused leaves nothing.",
        "providerscripts/servers/docker.py",
        "self._unmade(order, id)  # the engine said that it does not start",
        "pass",
        (DOCKER + "one_that_the_engine_cannot_start_is_removed_again",),
    ),
    Guard(
        "an engine's lost answer is a doubt",
        "What was sent and not answered may have been done.",
        "providerscripts/servers/docker_engine.py",
        "raise Doubtful(self._sentence(err)) from err",
        "raise ProviderUnreachable(self._sentence(err)) from err",
        (LOST,),
    ),
    Guard(
        "no record where no label can be set",
        "Ownership needs both: nobody serves a machine whose label cannot be ours.",
        "helperscripts/verbs/adopt.py",
        "if server.pool != deployment.pool and not provider.traits.relabels:",
        "if server.pool != deployment.pool and not provider.traits:",
        ("tests/helperscripts/test_adopt.py::test_where_no_label_can_be_set_nothing_is_recorded",),
    ),
)
