"""Guards of EC2 and Route 53: one request a deed, one machine a name, and no change over what nobody read."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["AMAZON"]

EC2 = "tests/providerscripts/servers/test_aws.py::test_"
ROUTE53 = "tests/providerscripts/dns/test_route53.py::test_"

AMAZON: tuple[Guard, ...] = (
    Guard(
        "boto3 sends no deed twice",
        "Its own retries would repeat a create whose answer was lost.",
        "providerscripts/amazon/client.py",
        '"total_max_attempts": 1 if once else READS',
        '"total_max_attempts": READS',
        (EC2 + "a_create_is_one_request_whatever_comes_of_it",),
    ),
    Guard(
        "EC2 knows a create of the same name again",
        "Should a request be repeated on the way, EC2 makes no second machine.",
        "providerscripts/servers/aws_order.py",
        '        "ClientToken": _token(order),\n',
        "",
        (EC2 + "the_same_name_with_other_words_is_refused_and_makes_nothing",),
    ),
    Guard(
        "a new id that EC2 does not show yet is no death",
        "It would be built again, and the first one forgotten.",
        "providerscripts/servers/aws.py",
        "return made is not None and self._clock.monotonic() - made < self.traits.listing_lag",
        "return False",
        (EC2 + "a_new_id_that_ec2_does_not_show_yet_is_no_death",),
    ),
    Guard(
        "no capacity is a no, though it comes as a 5xx",
        "As a doubt it would hold up the fallback and stay billable for minutes.",
        "providerscripts/amazon/no.py",
        "    if code in _KIND_OF:\n        return _KIND_OF[code]\n",
        "    if code in _KIND_OF and status < 500:\n        return _KIND_OF[code]\n",
        (EC2 + "a_certain_no",),
    ),
    Guard(
        "an answer that is no XML is no traceback",
        "botocore's parser raises what is none of botocore's errors.",
        "providerscripts/amazon/no.py",
        "    return BotoCoreError, ClientError, ResponseParserError, OSError\n",
        "    return BotoCoreError, ClientError, OSError\n",
        (EC2 + "a_create_whose_answer_cannot_be_read_is_in_doubt",),
    ),
    Guard(
        "the first keys of a console count",
        "What is printed later, a program of the machine's users may have printed.",
        "providerscripts/servers/aws_console.py",
        "        elif _END in line and inside:\n            break\n",
        "        elif _END in line and inside:\n            inside = False\n",
        (EC2 + "the_key_in_a_console",),
    ),
    Guard(
        "Route 53 changes only what was read",
        "An UPSERT would write over what another node, or the zone's owner, wrote in between.",
        "providerscripts/dns/route53.py",
        '                changes.append({"Action": "DELETE", "ResourceRecordSet": sets.raw[kind]})\n',
        "                pass\n",
        (ROUTE53 + "addresses_and_claims_in_one_batch",),
    ),
    Guard(
        "Route 53 keeps the last one of ours",
        "A name without addresses is a site that is gone.",
        "providerscripts/dns/route53.py",
        "told = name not in standing or len(others) >= leave",
        "told = True",
        (ROUTE53 + "the_last_two_withdrawn_at_once_leave_one",),
    ),
    Guard(
        "addresses that nobody claimed are not ours",
        "The zone's owner may have put others into the same set.",
        "providerscripts/dns/route53.py",
        "[v for v in sets.values(kind) if _plain(v) not in left]",
        "[]",
        (ROUTE53 + "addresses_of_others_stay",),
    ),
)
