"""Three nodes, twelve webservers, each fault of docs/faults.md, hurried. What was measured is printed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.faults_table import rows_of, tale
from tests.lab.inside import run_inside


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.debian("sshd", "nginx", "haproxy", "cron", "iptables")
@pytest.mark.lab("hosts", "faketime", "weed")
@pytest.mark.timeout(1200)
def test_every_fault_is_survived_as_promised(record_property: Callable[[str, object], None]) -> None:
    run = run_inside("tests.lab.many_nodes", timeout=1100)
    rows = rows_of(run)
    record_property("told", tale(run, rows))
    assert {row.promise.name: row.broken for row in rows if row.broken} == {}
