"""Guards of what looks and tells, and of the fence around adapters."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["LOOKS"]

AUDIT = "tests/helperscripts/test_audit.py::test_"
FENCE = "tests/providerscripts/test_fence.py::test_"

LOOKS: tuple[Guard, ...] = (
    # --- the fence ---
    Guard(
        "an adapter's own fault is no empty listing",
        "What is no tuple of Servers is no listing, and ends no run without its heartbeat.",
        "providerscripts/fence.py",
        "    if not isinstance(found, tuple | list):\n"
        '        raise TypeError(f"it answered with {type(found).__name__}, not with a tuple")\n',
        "",
        (FENCE + "a_listing_that_is_none_is_not_an_empty_one",),
    ),
    Guard(
        "a deed that broke is in doubt",
        "A KeyError after the request left does not say that nothing was made.",
        "providerscripts/fence.py",
        '            raise Doubtful(f"{_sentence(self._name, verb, err)}; it may have been done") from err\n',
        "            raise ProviderUnreachable(_sentence(self._name, verb, err)) from err\n",
        (FENCE + "a_create_that_breaks_is_counted_and_never_posted_again",),
    ),
    Guard(
        "a broken balancer ends no run",
        "Whatever it raises, the others and the machines are still looked after.",
        "providerscripts/fence.py",
        "        except Exception as err:\n            raise BalancerUnreachable(",
        "        except ZeroDivisionError:\n            raise\n"
        "        except Exception as err:\n            raise BalancerUnreachable(",
        (FENCE + "a_balancer_that_breaks_ends_no_run",),
    ),
    # --- audit ---
    Guard(
        "no stranger while a share is unread",
        "A server may stand in the share that cannot be read: nobody is told to delete it.",
        "helperscripts/inventory.py",
        "        elif seen.whole:  #",
        "        else:  #",
        (AUDIT + "a_share_that_cannot_be_read_calls_nobody_unknown",),
    ),
    Guard(
        "the listing before the shares",
        "What is made while audit reads has its record before its machine.",
        "helperscripts/stocktaking.py",
        '    servers = reading.tried("the provider\'s servers", provider.list)\n'
        "    shares, whole = _shares(store, time, reading)\n",
        "    shares, whole = _shares(store, time, reading)\n"
        '    servers = reading.tried("the provider\'s servers", provider.list)\n',
        (AUDIT + "one_that_is_made_while_we_read_is_no_stranger",),
    ),
    Guard(
        "an unread part is told",
        "A listing that failed is exit code 4, not a fleet without strangers.",
        "helperscripts/stocktaking.py",
        '            self.reasons.append(f"{what} cannot be told: {err}")\n',
        "",
        (AUDIT + "a_listing_that_fails_concludes_nothing_and_the_other_parts_are_told",),
    ),
    Guard(
        "an unknown price is not 0",
        "It is counted and named.",
        "helperscripts/inventory.py",
        "        return replace(finding, month=None)\n",
        "        return replace(finding, month=0.0)\n",
        (AUDIT + "prices_are_told_and_summed_and_the_unknown_counted",),
    ),
    # --- settle ---
    Guard(
        "what is listed is not settled",
        "An operator may look at the wrong project: what a listing shows exists.",
        "helperscripts/settlement.py",
        "    if shown:\n",
        "    if False:\n",
        (AUDIT + "one_that_the_provider_lists_is_not_settled",),
    ),
    Guard(
        "settled only over what was read",
        "A node that has just taken it in is not overruled.",
        "helperscripts/settlement.py",
        "        refuse_settled(found)\n",
        "",
        (AUDIT + "one_that_a_node_takes_in_meanwhile_is_not_settled",),
    ),
    Guard(
        "settled, never deleted",
        "The name stays as a tombstone: should its server appear, it is destroyed.",
        "helperscripts/settlement.py",
        "        return found.into(State.LAPSED, at, reason)\n",
        "        return found.into(State.GONE, at, reason, id=None)\n",
        (AUDIT + "a_doubt_is_settled_by_the_operators_word_and_the_name_stays_as_a_tombstone",),
    ),
)
