"""Guards of Vultr and Exoscale: a no in a vendor's own words, nothing secret told, nothing that is not ours."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["INSTANCES"]

VULTR = "tests/providerscripts/servers/test_vultr.py::test_"
EXOSCALE = "tests/providerscripts/servers/test_exoscale.py::test_"

INSTANCES: tuple[Guard, ...] = (
    Guard(
        "a new server's password is in no message",
        "Vultr shows it in its answers for ten minutes; what cannot be understood is told whole.",
        "providerscripts/servers/vultr_answers.py",
        'item.pop("default_password", None)',
        "item.keys()",
        (VULTR + "no_secret_is_in_any_message",),
    ),
    Guard(
        "gone is gone in other words, too",
        "A deletion that no answer proves would stay billable in our records for ever.",
        "providerscripts/servers/vultr_answers.py",
        '("missing", re.compile(',
        '("invalid", re.compile(',
        (VULTR + "gone_is_told_in_two_ways",),
    ),
    Guard(
        "0.0.0.0 is no address",
        "Nobody is probed at, or sent to, the address of nobody.",
        "providerscripts/servers/vultr_answers.py",
        "address=None if address in _NO_ADDRESS else address,",
        "address=address,",
        (VULTR + "everything_an_order_says_is_posted",),
    ),
    Guard(
        "an operation that failed is no create",
        "Exoscale says so with a status of 200.",
        "providerscripts/servers/exoscale.py",
        'if isinstance(answer, dict) and answer.get("state") in ("failure", "timeout"):',
        "if False:",
        (EXOSCALE + "an_operation_that_failed_at_once_is_a_no",),
    ),
    Guard(
        "an operation that ended nobody knows how is a doubt",
        "Only some reasons say that nothing was made.",
        "providerscripts/servers/exoscale.py",
        'kind = _REASONS.get(str(answer.get("reason"))) if answer["state"] == "failure" else None',
        'kind = _REASONS.get(str(answer.get("reason")), "invalid")',
        (EXOSCALE + "an_operation_that_ended_nobody_knows_how_is_a_doubt",),
    ),
    Guard(
        "an address that an instance has is not left over",
        "Exoscale's list of addresses does not tell: each instance is asked.",
        "providerscripts/servers/exoscale.py",
        "attached = self._attached() if addresses else set()",
        "attached = set()",
        (EXOSCALE + "leftovers_bear_our_label_and_have_no_instance",),
    ),
    Guard(
        "a private network that comes late is not taken",
        "It would be attached by a second request: whoever dies before it leaves a server without it.",
        "providerscripts/servers/exoscale_offers.py",
        "if extras.network or extras.private:",
        "if False:",
        (EXOSCALE + "what_is_known_to_be_wrong_is_refused_before_any_request",),
    ),
    Guard(
        "user data is in no message",
        "Exoscale shows an instance with its user data, which may hold a secret.",
        "providerscripts/servers/exoscale.py",
        'if k != "user-data"}',
        "if k}",
        (EXOSCALE + "no_secret_is_in_any_message",),
    ),
    Guard(
        "no server without an address",
        "One that has only a private address, and is looked for at a public one, would never be ready.",
        "providerscripts/servers/vultr_offers.py",
        'if extras.more.get("vpc_only") and not extras.private:',
        "if False:",
        (VULTR + "what_is_known_to_be_wrong_is_refused_before_any_request",),
    ),
)
