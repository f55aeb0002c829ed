"""`server.user_data_file`: the text that a new webserver is given lies in the Store, or on each node's disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from helperscripts import wiring
from helperscripts.settings import Settings
from providerscripts.servers.memory import MemoryProvider
from providerscripts.store.memory import MemoryStore
from tests.helperscripts.desk import Desk
from utilities.clock import SystemClock
from utilities.errors import DocumentFault

TEXT = "#cloud-config\r\nruncmd: [echo ü]\n\n"


def read(store: MemoryStore, file: str) -> object:
    text = f"pool: web\nprovider: {{name: memory}}\nserver: {{user_data_file: {file}}}\n"
    store.put("deployment.yaml", text.encode())
    return wiring.with_user_data(wiring.deployment(store, Settings()), store).server


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock())


def test_an_object_of_the_store_is_passed_as_it_is(store: MemoryStore) -> None:
    store.put("boot/web.yaml", TEXT.encode())
    assert read(store, "boot/web.yaml") == {"user_data": TEXT}


def test_a_path_is_a_file_of_this_machine(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_bytes(TEXT.encode())
    assert read(store, f"{tmp_path}/web.yaml") == {"user_data": TEXT}


@pytest.mark.parametrize("there", [False, True])
def test_missing_or_not_utf8_is_told_with_the_way_out(store: MemoryStore, tmp_path: Path, there: bool) -> None:
    if there:
        store.put("web.yaml", b"\xff")
        (tmp_path / "web.yaml").write_bytes(b"\xff")
    for file, told in (("web.yaml", f"{store.where}/web.yaml"), (f"{tmp_path}/web.yaml", f"{tmp_path}/web.yaml")):
        with pytest.raises(DocumentFault) as caught:
            read(store, file)
        assert told in str(caught.value)
        assert ("is not UTF-8" if there else "there is no") in str(caught.value)


def test_a_directory_is_no_file(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(DocumentFault, match="cannot be read"):
        read(store, str(tmp_path))


def test_who_only_looks_needs_no_file_and_who_orders_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    asked: list[str] = []
    create = MemoryProvider.create
    monkeypatch.setattr(MemoryProvider, "create", lambda self, o: asked.append(o.user_data) or create(self, o))
    desk = Desk(tmp_path, monkeypatch)
    desk.deployment("mode: production\nserver: {user_data_file: web.yaml}\n")
    assert desk("adjust-scaling", "2", "--yes").code == 0
    assert desk("status").code == 0
    for verb in ("plan", "cycle", "round"):
        said = desk(verb)
        assert said.code == 3
        assert f"there is no file://{tmp_path}/store/web.yaml: put it there" in said.err
    desk.store.put("web.yaml", TEXT.encode())
    assert desk("plan").code == 0
    assert desk("cycle", "--once").code == 0
    assert asked == [TEXT, TEXT]
