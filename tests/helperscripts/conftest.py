"""What several verbs' tests stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helperscripts.machine import OperatorMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    """An operator's machine that is node 1, in mode observe."""
    machine = OperatorMachine(tmp_path)
    machine.deploy(1, mode="observe")
    yield machine
    machine.demolish()
