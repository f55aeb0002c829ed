"""Settings: where they are found, what overrides what, and that every fault is told with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helperscripts import wiring
from helperscripts.settings import Settings, find_settings, read_settings, state_directory, usual_paths
from utilities.errors import AskerErred, DocumentFault, Unreachable


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "AUTOSCALER_STATE": str(tmp_path / "state")}


def settings_at(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_nothing_but_the_store_is_enough(home: dict[str, str]) -> None:
    found = find_settings({**home, "AUTOSCALER_STORE": "file:///srv/store"})
    assert (found.store, found.node, found.source) == ("file:///srv/store", None, None)


def test_the_command_line_precedes_the_environment_precedes_the_file(home: dict[str, str], tmp_path: Path) -> None:
    path = settings_at(tmp_path / ".config/autoscaler/settings.yaml", "store: file:///a\nnode: 1\n")
    assert find_settings(home).source == path
    assert (find_settings(home).store, find_settings(home).node) == ("file:///a", 1)
    environ = {**home, "AUTOSCALER_STORE": "file:///b", "AUTOSCALER_NODE": "2"}
    assert (find_settings(environ).store, find_settings(environ).node) == ("file:///b", 2)
    over = find_settings(environ, None, "file:///c", 3)
    assert (over.store, over.node) == ("file:///c", 3)


def test_a_named_file_precedes_the_usual_ones(home: dict[str, str], tmp_path: Path) -> None:
    settings_at(tmp_path / ".config/autoscaler/settings.yaml", "node: 1\n")
    own = settings_at(tmp_path / "own.yaml", "node: 2\n")
    other = settings_at(tmp_path / "other.yaml", "node: 3\n")
    environ = {**home, "AUTOSCALER_SETTINGS": str(own)}
    assert find_settings(environ).node == 2
    assert find_settings(environ, str(other)).node == 3
    with pytest.raises(AskerErred, match=r"AUTOSCALER_SETTINGS names .*gone\.yaml"):
        find_settings({**home, "AUTOSCALER_SETTINGS": str(tmp_path / "gone.yaml")})


def test_the_config_folder_follows_xdg(home: dict[str, str], tmp_path: Path) -> None:
    environ = {**home, "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    assert usual_paths(environ)[1] == tmp_path / "conf/autoscaler/settings.yaml"
    assert str(usual_paths(environ)[0]) == "/etc/autoscaler/settings.yaml"


def test_every_fault_has_its_line(home: dict[str, str], tmp_path: Path) -> None:
    path = settings_at(tmp_path / "s.yaml", "store: 5\nnode: 0\nrebot: [x]\nreboot: shutdown\ns3:\n  regoin: x\n")
    with pytest.raises(DocumentFault) as caught:
        read_settings(path, home)
    told = [str(f) for f in caught.value.faults]
    assert [t.split(":")[0] for t in told] == ["line 1", "line 2", "line 3", "line 4", "line 6"]
    assert "did you mean reboot?" in told[2]
    assert "did you mean region?" in told[4]


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_all_defaults(home: dict[str, str], tmp_path: Path, text: str) -> None:
    path = settings_at(tmp_path / "s.yaml", text)
    assert read_settings(path, home) == Settings(state=tmp_path / "state", source=path)


def test_paths_are_relative_to_the_file(home: dict[str, str], tmp_path: Path) -> None:
    path = settings_at(tmp_path / "etc/s.yaml", "ssh_key: id\nreboot: [systemctl, reboot]\nboot_file: /run/boot\n")
    found = read_settings(path, home)
    assert found.ssh_key == tmp_path / "etc/id"
    assert found.reboot == ("systemctl", "reboot")
    assert found.boot_file == Path("/run/boot")
    assert read_settings(settings_at(path, "reboot: []\n"), home).reboot == ()


def test_a_secret_that_others_can_read_is_refused(home: dict[str, str], tmp_path: Path) -> None:
    text = "s3:\n  access_key: AKIAEXAMPLE\n  secret_key: sesame-open-up\n"
    found = read_settings(settings_at(tmp_path / "s.yaml", text), home)
    assert "sesame" not in repr(found)
    with pytest.raises(DocumentFault, match=r"line 1: a secret stands here.*chmod 600"):
        read_settings(settings_at(tmp_path / "s.yaml", text, 0o644), home)
    harmless = settings_at(tmp_path / "t.yaml", "s3:\n  region: x\n", 0o644)
    assert read_settings(harmless, home).s3.region == "x"


@pytest.mark.parametrize(
    ("keys", "why"),
    [("access_key: a\n", "go together"), ("access_key: a\n  access_key_env: B\n  secret_key: c\n", "keep one")],
)
def test_keys_come_in_pairs_and_once(home: dict[str, str], tmp_path: Path, keys: str, why: str) -> None:
    with pytest.raises(DocumentFault, match=why):
        read_settings(settings_at(tmp_path / "s.yaml", f"s3:\n  {keys}"), home)


@pytest.mark.parametrize("text", ["0", "100", "one", "1.5", "-1", "²"])
def test_the_environments_node_is_a_number(home: dict[str, str], text: str) -> None:
    with pytest.raises(AskerErred, match="AUTOSCALER_NODE"):
        find_settings({**home, "AUTOSCALER_NODE": text})


def test_the_state_directory(tmp_path: Path) -> None:
    assert state_directory({"AUTOSCALER_STATE": "/x/y"}) == Path("/x/y")
    found = state_directory({"HOME": str(tmp_path)})
    ours = os.access("/var/lib/autoscaler" if os.path.exists("/var/lib/autoscaler") else "/var/lib", os.W_OK)
    assert found == (Path("/var/lib/autoscaler") if ours else tmp_path / ".local/state/autoscaler")


def test_a_secret_from_a_file_or_a_variable_reaches_the_store(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("open-sesame\n")
    (tmp_path / "secret").chmod(0o644)
    text = "store: s3://bucket/x\ns3:\n  access_key_env: THE_KEY\n  secret_key_file: secret\n"
    settings = read_settings(settings_at(tmp_path / "s.yaml", text), home)
    with pytest.raises(Unreachable, match="THE_KEY"):
        wiring.open_store(settings)
    monkeypatch.setenv("THE_KEY", "AKIAEXAMPLE")
    with pytest.raises(Unreachable, match="can be read by others"):
        wiring.open_store(settings)


def test_waiting_is_hurried_and_the_key_is_this_machines(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/deployment.yaml").write_text("pool: web\nprovider: {name: local}\nladder: {ssh: {user: u}}\n")
    text = f"store: file://{tmp_path}/store\nhurry: 60\nssh_key: id\n"
    settings = read_settings(settings_at(tmp_path / "s.yaml", text), home)
    found = wiring.deployment(wiring.open_store(settings), settings)
    assert (found.tick, found.rules.booting) == (1.0, 20.0)
    assert found.ladder.ssh is not None
    assert found.ladder.ssh.key == str(tmp_path / "id")
