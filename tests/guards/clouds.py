"""Guards of what speaks to vendors: one request a deed, no part for a whole, no vendor's silence for a no."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["CLOUDS"]

API = "tests/providerscripts/rest/test_api.py::test_"
PAGING = "tests/providerscripts/rest/test_paging.py::test_"
BUDGET = "tests/providerscripts/rest/test_budget.py::test_"
TOKEN = "tests/providerscripts/rest/test_token.py::test_"
DIGITALOCEAN = "tests/providerscripts/servers/test_digitalocean.py::test_"
LINODE = "tests/providerscripts/servers/test_linode.py::test_"
LISTINGS = "tests/providerscripts/test_listings.py::test_"
DNS = "tests/providerscripts/dns/test_balancer.py::test_"

CLOUDS: tuple[Guard, ...] = (
    Guard(
        "gone is what the vendor calls missing",
        "A gateway's 404 in JSON would strike out a machine that goes on costing.",
        "providerscripts/servers/hetzner_answers.py",
        'if (status, code) == (404, "not_found") else kind',
        "if status == 404 else kind",
        ("tests/providerscripts/rest/test_no.py::test_a_gateways_is_not",),
    ),
    Guard(
        "a name inside the zone is not cut",
        "www.example.com.example.com, where a dot was forgotten, is somebody else's record.",
        "providerscripts/dns/records.py",
        "    return name.lower() or APEX\n",
        "    return relative_to('example.com', name)\n",
        ("tests/providerscripts/dns/test_contract.py::test_a_name_that_ends_in_the_zone_twice_is_somebody_elses",),
    ),
    Guard(
        "Route 53: only who is admitted adds an address",
        "A dead address that somebody took out comes back by no change of another.",
        "providerscripts/dns/route53.py",
        "for n, m in after.items() if n == adding}",
        "for n, m in after.items()}",
        (
            "tests/providerscripts/dns/test_route53.py::"
            "test_an_address_that_somebody_took_out_comes_back_by_nobody_elses_change",
        ),
    ),
    Guard(
        "what is rented elsewhere is not judged here",
        "Another vendor, or another zone, says of every id that it is gone: all would be built anew, and the others "
        "paid for unseen.",
        "autoscaler/errand.py",
        "if told := elsewhere(",
        'if told := "" and elsewhere(',
        ("tests/autoscaler/test_tenancy.py::test_nothing_is_built_or_struck_out_for_what_is_rented_elsewhere",),
    ),
    Guard(
        "a share that is taken over stays where it is rented",
        "Who takes it would write his own provider over that of its webservers.",
        "autoscaler/book.py",
        "if share.billable and share.tenancy:",
        "if share.billable and share.tenancy and False:",
        ("tests/autoscaler/test_tenancy.py::test_a_book_never_moves_what_is_rented",),
    ),
    Guard(
        "a kept listing is as old as it says",
        "What a node's processes share counts from when it was begun, not from when it was read.",
        "autoscaler/observe.py",
        "return Instant(asked - listing.age), listing.servers",
        "return asked, listing.servers",
        (LISTINGS + "the_core_counts_from_when_it_was_begun",),
    ),
    Guard(
        "a listing of unknown age is no listing",
        "After a sleep or a reboot nobody knows how old a kept one is.",
        "providerscripts/listings.py",
        "0 <= ticks <= oldest and abs(wall - ticks) <= _DRIFT",
        "0 <= ticks <= oldest",
        (LISTINGS + "after_a_reboot_or_a_leap_of_the_clock_its_age_is_unknown",),
    ),
    Guard(
        "a kept listing is the account's own",
        "Another account's servers are never taken for ours.",
        "providerscripts/listings.py",
        "repr((pool, account[0], sorted(account[1].items())))",
        "repr((pool, account[0]))",
        (LISTINGS + "another_accounts_is_never_ours",),
    ),
    Guard(
        "a short page is no listing",
        "As many different ones as the vendor counts, or none.",
        "providerscripts/rest/paging.py",
        "if len(ids) == len(items) and (totals == {None} or totals == {len(items)}):",
        "if True:",
        (PAGING + "a_listing_that_is_not_whole_twice_is_none",),
    ),
    Guard(
        "a total that changes on the way is no listing",
        "An item may have slipped over a page's edge.",
        "providerscripts/rest/paging.py",
        "totals == {len(items)}",
        "len(items) in totals",
        (PAGING + "one_that_changed_between_two_pages_is_read_again",),
    ),
    Guard(
        "a proxy's 404 proves nothing",
        "Only the vendor's own JSON says that a server is gone, or a deletion done.",
        "providerscripts/rest/api.py",
        "if not 400 <= answer.status < 500 or not isinstance(answer.body, dict):",
        "if not 400 <= answer.status < 500:",
        (API + "only_the_vendors_own_404_is_none", API + "a_deed_without_a_body_in_its_answer"),
    ),
    Guard(
        "a redirect is not followed",
        "No token goes where a redirect points, and no POST becomes a GET.",
        "providerscripts/rest/exchange.py",
        "allow_redirects=False",
        "allow_redirects=True",
        (API + "a_redirect_is_not_followed_with_the_token",),
    ),
    Guard(
        "a 4xx that says nothing is doubt",
        "A time-out that the vendor's front reports does not say that nothing was made.",
        "providerscripts/rest/api.py",
        "certain = 400 <= answer.status < 500 and answer.status not in _UNSURE",
        "certain = 400 <= answer.status < 500",
        (API + "a_deed_without_a_whole_answer_is_in_doubt_and_was_sent_once",),
    ),
    Guard(
        "half an answer is no refusal to connect",
        "Only a connection that never stood is certain to have carried nothing.",
        "providerscripts/rest/exchange.py",
        "    return isinstance(reason, NewConnectionError)\n",
        "    return isinstance(err, requests.exceptions.ConnectionError)\n",
        (API + "a_deed_without_a_whole_answer_is_in_doubt_and_was_sent_once",),
    ),
    Guard(
        "no token in a message",
        "A vendor that repeats the token in its error does not put it into our log.",
        "providerscripts/rest/api.py",
        "        return redact(text, self._secrets)\n",
        "        return text\n",
        (API + "the_token_is_in_no_message",),
    ),
    Guard(
        "no token in the Deployment",
        "All nodes and all who read the Store would see it.",
        "providerscripts/rest/token.py",
        "    if settings.get(half) is not None:\n",
        "    if False:\n",
        (TOKEN + "faults_of_the_document",),
    ),
    Guard(
        "the last requests are for deletes",
        "A fleet can shrink when nothing else can be asked any more.",
        "providerscripts/rest/budget.py",
        "keep = min(_KEPT.get(method, 1.0) * _RESERVE * level.limit, level.limit - 1.0)",
        "keep = 0.0",
        (BUDGET + "the_last_tenth_is_for_deletes",),
    ),
    Guard(
        "the budget is the node's",
        "Processes side by side spend what there is once.",
        "providerscripts/rest/budget.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX)\n",
        "            pass\n",
        (BUDGET + "one_waits_while_another_reckons",),
    ),
    Guard(
        "no firewall comes late",
        "A firewall takes a Droplet by id in a second call: whoever dies before it leaves a server open to all.",
        "providerscripts/servers/digitalocean_offers.py",
        "    if extras.firewalls not in ((), (_BY_TAG,)):\n",
        "    if False:\n",
        (DIGITALOCEAN + "what_is_known_to_be_wrong_is_refused_before_any_request",),
    ),
    Guard(
        "no server without its firewall",
        "The firewall may have lost our tag since the last server: it is looked for before each create.",
        "providerscripts/servers/digitalocean_offers.py",
        "if extras.firewalls and (lacking := self._firewall(order.pool)):",
        "if False and (lacking := self._firewall(order.pool)):",
        (DIGITALOCEAN + "no_server_is_ordered_once_its_firewall_is_gone",),
    ),
    Guard(
        "nothing is ordered that a listing may not show",
        "DigitalOcean lists Droplets with a GPU apart, and says of no tag that it shows them.",
        "providerscripts/servers/digitalocean_offers.py",
        '    if order.size.startswith("gpu-"):\n',
        "    if False:\n",
        (DIGITALOCEAN + "what_is_known_to_be_wrong_is_refused_before_any_request",),
    ),
    Guard(
        "what is left of the creates stops no listing",
        "Linode's headers tell of the kind of request that was asked last, not of the account.",
        "providerscripts/servers/linode.py",
        "_RATE = Rate(200, 60.0)\n",
        '_RATE = Rate(200, 60.0, "X-RateLimit-Limit", "X-RateLimit-Remaining")\n',
        (LINODE + "what_a_header_tells_of_the_creates_stops_no_listing",),
    ),
    Guard(
        "a filter that is ignored shows no strangers",
        "Each of a listing by tag is looked at once more, before anybody takes it for ours.",
        "providerscripts/servers/linode.py",
        "if everything or s.pool == self._pool)",
        ")",
        (LINODE + "a_filter_that_is_ignored_shows_no_strangers",),
    ),
    Guard(
        "a mark before an address is removed",
        "DNS has no compare and swap: of two nodes that remove the last two at least one must see the other.",
        "providerscripts/dns/balancer.py",
        "sight = self._yielded(self._marked(sight, name, standing), name, leave)",
        "sight = self._look()",
        (DNS + "two_nodes_never_empty_the_answer",),
    ),
    Guard(
        "who marked and stood still removes nothing",
        "Nobody counts on its mark any more.",
        "providerscripts/dns/balancer.py",
        "if self._clock.monotonic() - begun > MARK_LIFE / 2:",
        "if False:",
        (DNS + "who_comes_too_late_after_its_mark_removes_nothing",),
    ),
    Guard(
        "the claim before the address",
        "An address of ours without its claim is somebody else's for ever, and leads visitors nowhere.",
        "providerscripts/dns/balancer.py",
        "            deeds.append(write.address(sight, claim))\n",
        "            deeds.insert(0, write.address(sight, claim))\n",
        (DNS + "killed_at_any_request_the_next_verb_goes_on",),
    ),
    Guard(
        "an address that came back is claimed again",
        "Another node admitted it while this one took its claim away.",
        "providerscripts/dns/balancer.py",
        "if again := [c for c in gone if c.address in going & sight.addresses]:",
        "if False and (again := [c for c in gone if c.address in going & sight.addresses]):",
        (DNS + "admitted_and_withdrawn_at_once_no_address_is_left_without_its_claim",),
    ),
    Guard(
        "an address that is another webserver's by now stays",
        "Addresses are used again: it goes with its last claim.",
        "providerscripts/dns/balancer.py",
        "going = {c.address for c in mine} - sight.others(name, self._clock.now())",
        "going = {c.address for c in mine}",
        (DNS + "one_address_of_two_webservers_goes_with_the_last",),
    ),
    Guard(
        "what empties the name is put back",
        "By hand, or by whoever keeps to no marks: the last one of ours comes back.",
        "providerscripts/dns/balancer.py",
        "if len(left) < leave:",
        "if False:",
        (DNS + "what_is_removed_by_hand_at_the_same_moment_is_put_back",),
    ),
)
