"""The local provider keeps the contract, with real processes."""

from __future__ import annotations

import time

import pytest

from providerscripts.servers import processes
from providerscripts.servers.local import LocalProvider
from providerscripts.servers.local_folder import folders
from tests.providerscripts.servers.conftest import quick
from tests.providerscripts.servers.contract import ProviderContract, World


class TestContract(ProviderContract):
    # A folder is there or not, at once, and its name is unique: these two cannot happen here.
    test_a_late_create_shows_within_settle = None  # type: ignore[assignment]
    test_a_repeated_post_shows_both = None  # type: ignore[assignment]
    # There is no request, no page, no secret and no foreign word.
    test_a_create_is_one_request_whatever_comes_of_it = None  # type: ignore[assignment]
    test_no_message_bears_a_secret = None  # type: ignore[assignment]
    test_a_page_that_lacks_one_is_no_listing = None  # type: ignore[assignment]
    test_a_state_that_nobody_knows_is_unknown_and_never_gone = None  # type: ignore[assignment]

    @pytest.fixture
    def world(self, directory):
        vendor = LocalProvider(directory, "web", quick(ssh="none"))
        made: set[str] = set()

        def truth() -> set[str]:
            """By the processes, not by the listing's word."""
            every = folders(directory)
            made.update(folder.told.id for folder in every)
            return {f.told.id for f in every if f.told.pool == "web" or processes.family(f.processes())}

        def count() -> int:
            truth()
            return len(made)

        def wait(seconds: float) -> None:
            truth()
            time.sleep(min(seconds, 0.3))  # nothing here lags: what is not so by then is polled for

        return World(
            provider=vendor,
            another=lambda pool: LocalProvider(directory, pool, quick(ssh="none")),
            script=vendor.faults.next,
            truth=truth,
            made=count,
            wait=wait,
            quota=lambda most: setattr(vendor, "limit", most),
        )
