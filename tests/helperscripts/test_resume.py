"""resume where the Store cannot be asked: nothing is taken for absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helperscripts.desk import Desk


def test_an_unreachable_store_is_not_an_absent_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch)
    desk.setenv("AUTOSCALER_STORE", f"file://{tmp_path}/nowhere")
    for argv in (["resume"], ["resume", "--brake"], ["pause"]):
        said = desk(*argv)
        assert (said.code, said.out) == (4, "")
        assert len(said.err.splitlines()) == 1
