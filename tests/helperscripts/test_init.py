"""init and arm: the first documents, never written over, and one line that is changed."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.deployment import Mode, read_deployment
from autoscaler.ports import BalancerUnreachable, Member
from helperscripts.first import deployment_text, settings_text
from helperscripts.inquiry import pool
from helperscripts.settings import read_settings
from helperscripts.verbs.arm import armed
from tests.helperscripts.desk import at_rig, at_terminal, call
from tests.helperscripts.machine import CLI, OperatorMachine
from tests.worlds.memory import Rig
from utilities.documents import read_yaml
from utilities.errors import Trouble


@pytest.fixture
def machine(tmp_path: Path) -> OperatorMachine:
    machine = OperatorMachine(tmp_path)
    machine.environ["AUTOSCALER_SETTINGS"] = str(tmp_path / "etc/settings.yaml")
    del machine.environ["AUTOSCALER_STORE"], machine.environ["AUTOSCALER_NODE"]
    return machine


def test_without_a_person_the_store_must_be_named(machine: OperatorMachine) -> None:
    said = machine.run("init", "--yes")
    assert said.code == 2
    assert "--store" in said.err
    assert not (machine.folder / "etc").exists()


def test_one_line_makes_a_fleet_that_can_be_planned(machine: OperatorMachine) -> None:
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", "--webservers", "3", "--pool", "shop")
    assert said.code == 0, said.err
    path = machine.folder / "etc/settings.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = read_settings(path, {})
    assert (settings.store, settings.node, settings.reboot) == (f"file://{machine.store}", 1, ())
    plan = machine.run("plan", "--json").json
    assert plan["mode"] == "observe"
    assert [s["name"] for s in plan["steps"]] == [f"ws-shop-1-000{n}" for n in (1, 2, 3)]
    assert machine.run("doctor").code == 0


def test_nothing_is_written_over(machine: OperatorMachine) -> None:
    store = f"file://{machine.store}"
    machine.run("init", "--yes", "--store", store, "--pool", "mine")
    before = {p: p.read_bytes() for p in machine.folder.rglob("*") if p.suffix in (".yaml", ".cnf")}
    assert len(before) == 3
    again = machine.run("init", "--yes", "--store", store, "--pool", "other", "--webservers", "9")
    assert (again.code, again.out.count("already there")) == (0, 3)
    second = machine.run(
        "init", "--yes", "--json", "--store", store, "--node", "2", "--settings", f"{machine.folder}/etc/2.yaml"
    )
    assert second.json["wrote"] == [f"{machine.folder}/etc/2.yaml"]
    assert {p: p.read_bytes() for p in before} == before


def test_a_dry_run_writes_nothing(machine: OperatorMachine) -> None:
    said = machine.run("init", "--dry-run", "--store", f"file://{machine.store}")
    assert said.code == 0
    assert "would write deployment.yaml" in said.out
    assert list(machine.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--provider", "lokal"), "did you mean local?"),
        (("--set", "boot=1"), "provider local takes KEY=VALUE"),
        (("--pool", "No Good"), "--pool 'No Good' is no name for a pool"),
        (("--pool", "a123456789012"), "at most 12"),
        (("--store", "ftp://x"), "is no Store URL"),
        (("--webservers", "50"), "50 webservers are more than max 20: say --max 50 too"),
        (("--node", "5", "--nodes", "3"), "node 5 of 3 would have no share"),
        (("--node", "100"), "node 100 is none: 1 to 99"),
        (("--reboot", "it's"), "is no command: no closing quotation"),
        (("--reboot", "it's", "--ssh-key", "etc/id"), "is no command: no closing quotation"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    machine: OperatorMachine, flags: tuple[str, ...], why: str
) -> None:
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", *flags)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert why in said.err
    assert not [p for p in machine.folder.rglob("*") if p.is_file()]


def test_a_node_number_that_is_none_is_said(machine: OperatorMachine) -> None:
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", AUTOSCALER_NODE="two")
    assert said.code == 2
    assert "AUTOSCALER_NODE is 'two'" in said.err


def test_more_than_twenty_are_allowed_when_said(machine: OperatorMachine) -> None:
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", "--webservers", "50", "--max", "60")
    assert said.code == 0, said.err
    assert read_deployment(read_yaml((machine.store / "deployment.yaml").read_text(), "d")).limits.max == 60
    assert machine.run("doctor").code == 0


def test_what_stands_in_the_store_binds_the_first_number_and_the_node(machine: OperatorMachine) -> None:
    machine.deploy()
    (machine.store / "scalingprofile/profile.cnf").unlink()
    store = f"file://{machine.store}"
    said = machine.run("init", "--yes", "--store", store, "--webservers", "50")
    assert (said.code, "change limits.max in deployment.yaml first" in said.err) == (2, True)
    late = machine.run("init", "--yes", "--store", store, "--node", "2")
    assert late.code == 0  # its number may be raised afterwards
    assert "Node 2 has no share while there are 1" in late.err


@pytest.mark.parametrize("name", ["web", "a", "a12345678901", "a123456789012", "1a", "A", "a-b", "", "a\n"])
def test_init_and_the_deployment_agree_on_a_pools_name(name: str) -> None:
    def good(what: Callable[[], object]) -> bool:
        try:
            what()
        except Trouble:
            return False
        return True

    text = deployment_text("web", 1, "memory", {}, {}).replace("pool: web\n", f"pool: {json.dumps(name)}\n")
    assert good(lambda: pool(name, False)) is good(lambda: read_deployment(read_yaml(text, "d")))


def test_a_key_is_made_when_asked_for(machine: OperatorMachine) -> None:
    key = machine.folder / "etc/id"
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", "--ssh-key", str(key))
    assert said.code == 0, said.err
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.with_suffix(".pub").read_text().split()[1] in said.err
    assert read_settings(machine.folder / "etc/settings.yaml", {}).ssh_key == key
    deployment = read_deployment(read_yaml((machine.store / "deployment.yaml").read_text(), "d"))
    assert deployment.provider.options["authorized_keys"] == f"{key}.pub", "who is made here lets it in"


def test_a_key_that_the_webservers_do_not_let_in_is_refused(machine: OperatorMachine) -> None:
    store = f"file://{machine.store}"
    assert machine.run("init", "--yes", "--store", store).code == 0
    (machine.folder / "etc/settings.yaml").unlink()
    said = machine.run("init", "--yes", "--store", store, "--ssh-key", str(machine.folder / "mine"))
    assert said.code == 2
    assert "/login_key alone: leave --ssh-key out, or write `authorized_keys`" in said.err
    assert not (machine.folder / "mine").exists()


def test_a_person_is_asked(machine: OperatorMachine) -> None:
    """At a terminal: every question has a default, and Enter takes it."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*CLI, "init", "--store", f"file://{machine.store}"], stdin=slave, stdout=slave, stderr=slave,
        env=machine.environ, cwd=machine.folder, close_fds=True,
    )
    os.close(slave)
    seen, answered, deadline = b"", 0, time.monotonic() + 90
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
        elif seen.count(b"]: ") + seen.count(b"none): ") > answered:
            answered += 1
            os.write(master, b"shop\n" if b"pool" in seen.splitlines()[-1] else b"\n")
        elif process.poll() is not None:
            break
    process.wait(60)
    os.close(master)
    assert process.returncode == 0, seen.decode()
    assert answered >= 5
    assert "pool: shop\n" in (machine.store / "deployment.yaml").read_text()


def test_a_cloud_needs_a_place_for_its_secrets_and_what_a_webserver_is_made_of(machine: OperatorMachine) -> None:
    said = machine.run(
        "init", "--yes", "--store", f"file://{machine.store}", "--provider", "hetzner",
        "--server", "image=debian-12", "--server", "size=cx22", "--server", "region=fsn1",
    )  # fmt: skip
    assert said.code == 0, said.err
    text = (machine.store / "deployment.yaml").read_text()
    found = read_yaml(text, "deployment.yaml").values
    assert found["provider"] == {"name": "hetzner", "token_file": "/etc/autoscaler/hetzner.token"}
    assert found["server"] == {"image": "debian-12", "size": "cx22", "region": "fsn1"}
    assert "# balancers:\n#   - name: hetzner\n#     zone: ZONE\n" in text
    assert "Put the token into /etc/autoscaler/hetzner.token, with mode 0600, on every node." in said.out


@pytest.mark.parametrize(
    ("argv", "provider"),
    [
        (("exoscale", "--set", "zone=ch-gva-2"), {
            "zone": "ch-gva-2", "key_file": "/etc/autoscaler/exoscale.key",
            "secret_file": "/etc/autoscaler/exoscale.secret",
        }),
        (("hetzner", "--set", "token_env=MINE"), {"token_env": "MINE"}),
        (("linode", "--set", "token_file=/root/t"), {"token_file": "/root/t"}),
        (("docker",), {}),
    ],
)  # fmt: skip
def test_what_was_not_said_of_a_cloud_is_shown_as_a_comment(
    machine: OperatorMachine, argv: tuple[str, ...], provider: dict[str, str]
) -> None:
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", "--provider", *argv)
    assert said.code == 0, said.err
    text = (machine.store / "deployment.yaml").read_text()
    found = read_yaml(text, "deployment.yaml").values
    assert found["provider"] == {"name": argv[0], **provider}
    assert "server" not in found
    assert "# server:\n#   image: IMAGE\n" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("image=debian-12",), "provider hetzner needs --server size=VALUE and --server region=VALUE too"),
        (("debian-12",), "--server debian-12: it takes KEY=VALUE"),
        (("image=",), "--server image=: it takes KEY=VALUE"),
    ],
)
def test_half_of_a_webserver_is_refused(machine: OperatorMachine, words: tuple[str, ...], why: str) -> None:
    parts = [part for word in words for part in ("--server", word)]
    said = machine.run("init", "--yes", "--store", f"file://{machine.store}", "--provider", "hetzner", *parts)
    assert said.code == 2
    assert why in said.err
    assert not (machine.folder / "etc").exists()


def test_a_person_is_asked_what_a_cloud_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTOSCALER_STORE", "AUTOSCALER_NODE", "AUTOSCALER_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    code, seen = at_terminal(
        ["init", "--settings", str(tmp_path / "etc/here.yaml"), "--store", f"file://{tmp_path}/store", "--reboot="],
        [
            ("node (1", "\n"), ("provider (", "linode\n"),
            ("will hold the token, on every node [/etc/autoscaler/linode.token]", "/root/token\n"),
            ("linode: image of", "linode/debian12\n"), ("linode: size of", "g6-nanode-1\n"),
            ("linode: region of", "eu-central\n"), ("pool (", "\n"), ("nodes (", "\n"), ("webservers wanted", "\n"),
            ("an SSH key", "\n"),
        ],
    )  # fmt: skip
    assert code == 0, seen
    found = read_yaml((tmp_path / "store/deployment.yaml").read_text(), "deployment.yaml").values
    assert found["provider"] == {"name": "linode", "token_file": "/root/token"}
    assert found["server"] == {"image": "linode/debian12", "size": "g6-nanode-1", "region": "eu-central"}


def test_a_wrong_answer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, etc, state = tmp_path / "store", tmp_path / "etc/here.yaml", tmp_path / "state"
    for name in ("AUTOSCALER_STORE", "AUTOSCALER_NODE", "AUTOSCALER_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AUTOSCALER_STATE", str(state))
    code, seen = at_terminal(
        ["init", "--settings", str(etc), "--set", f"directory={tmp_path}/local"],
        [
            ("Store (", "bucket\n"), ("'bucket' is no Store URL", f"file://{store}\n"),
            ("node (1", "\n"),
            ("provider (", "3\n"), ("there is no provider '3'", "local\n"),
            ("pool (", "No Good\n"), ("'No Good' is no name", "shop\n"),
            ("nodes (", "many\n"), ("many is none: 1 to 99", "3\n"),
            ("webservers wanted", "50\n"), ("50 webservers are more than max 20", "4\n"),
        ],
    )  # fmt: skip
    assert code == 0, seen
    assert "pool: shop\n" in (store / "deployment.yaml").read_text()
    assert "NO_WEBSERVERS=4\n" in (store / "scalingprofile/profile.cnf").read_text()
    assert read_settings(etc, {}).state == state
    assert f"Next: autoscaler doctor --settings {etc}, then" in seen


def test_the_third_wrong_answer_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTOSCALER_STORE", "AUTOSCALER_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTOSCALER_SETTINGS", str(tmp_path / "settings.yaml"))
    code, seen = at_terminal(
        ["init"], [("Store (", "one\n"), ("'one' is no Store", "two\n"), ("'two' is no Store", "three\n")]
    )
    assert (code, seen.count("Store (s3")) == (2, 3), seen
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["plain", "s3://b/p?endpoint=https://x:9000", "yes", "7", "a b", "a: b", "#x", "é", ""]
)
def test_what_is_written_is_read_back(text: str) -> None:
    settings = read_yaml(settings_text(text or "x", 1, [text], None), "s").values
    assert settings["store"] == (text or "x")
    assert settings["reboot"] == [text]
    deployment = read_yaml(deployment_text("web", 1, "local", {"directory": text}, {"user": text}), "d").values
    assert deployment["provider"]["directory"] == (7 if text == "7" else text)  # a number given is a number
    assert deployment["ladder"]["ssh"]["user"] == text


# --- arm ------------------------------------------------------------------------------------------------------


def test_arming_changes_one_word(machine: OperatorMachine) -> None:
    machine.run("init", "--yes", "--store", f"file://{machine.store}")
    path = machine.store / "deployment.yaml"
    before = path.read_text()
    nobody = machine.run("arm")
    assert nobody.code == 2
    assert "--yes" in nobody.err
    assert path.read_text() == before
    said = machine.run("arm", "--yes")
    assert said.code == 0
    assert "ws-web-1-0001" in said.out
    assert path.read_text() == before.replace("\nmode: observe\n", "\nmode: production\n")
    again = machine.run("arm")
    assert (again.code, again.out) == (0, "already so: mode is production\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mode: observe # why\npool: x\n", "mode: production # why\npool: x\n"),
        ("pool: x\nmode:   'observe'\n", "pool: x\nmode:   production\n"),
        ("# mode: observe\npool: x\n", "# mode: observe\npool: x\nmode: production\n"),
        ("pool: x", "pool: x\nmode: production\n"),
        ("provider:\n  mode: observe\n", "provider:\n  mode: observe\nmode: production\n"),
    ],
)
def test_every_other_line_stays(before: str, after: str) -> None:
    assert armed(before) == after


def test_arming_tells_what_all_the_nodes_would_do(machine: OperatorMachine) -> None:
    store = f"file://{machine.store}"
    machine.run("init", "--yes", "--store", store, "--nodes", "3", "--webservers", "4")
    said = machine.run("arm", "--yes")
    told = said.out.index("4 wanted over 3 nodes: 2, 1, 1; above is what node 1 would do")
    assert told < said.out.index("mode is production")


def test_nothing_is_armed_that_the_provider_refuses_or_no_balancer_would_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig()
    at_rig(rig, monkeypatch, tmp_path)
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    rig.deployment = replace(rig.deployment, mode=Mode.OBSERVE)
    monkeypatch.setattr(rig.provider, "examine", lambda order: (f"size {order.size!r} is none: did you mean small?",))
    refused = call("arm", "--yes")
    assert refused.code == 3
    assert "did you mean small?" in refused.err
    assert "nothing was changed; --anyway arms all the same" in refused.err

    def deaf() -> tuple[Member, ...]:
        raise BalancerUnreachable("there is no zone exmaple.com; did you mean example.com?")

    monkeypatch.setattr(rig.provider, "examine", lambda order: ())
    monkeypatch.setattr(rig.balancer, "admitted", deaf)
    unasked = call("arm", "--yes")
    assert unasked.code == 4
    assert "did you mean example.com?" in unasked.err
    written: list[str] = []
    monkeypatch.setattr("helperscripts.verbs.arm._write", lambda store: written.append("production"))
    assert call("arm", "--yes").code == 4
    assert not written
    assert call("arm", "--yes", "--anyway").code == 0
    assert written


def test_nothing_is_armed_where_another_store_gives_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig()
    at_rig(rig, monkeypatch, tmp_path)
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    rig.deployment = replace(rig.deployment, mode=Mode.OBSERVE)
    for name in ("ws-web-1-0003", "ws-web-1-0007"):
        rig.provider.add(name, "web")
    said = call("arm", "--yes")
    assert said.code == 3
    assert "pool: web: the provider lists ws-web-1-0003 and 1 more" in said.err
    assert "choose another pool" in said.err
    found = {c["what"]: c for c in call("doctor", "--json").json["checks"]}
    assert found["pool"]["found"] == "bad"


def test_a_mode_in_an_odd_place_is_not_guessed_at(machine: OperatorMachine) -> None:
    text = "{pool: web, mode: observe, provider: {name: local, directory: " + str(machine.folder / "local") + "}}\n"
    machine.write("deployment.yaml", text)
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=1\n")
    said = machine.run("arm", "--yes", "--store", f"file://{machine.store}", "--node", "1", AUTOSCALER_SETTINGS="")
    assert said.code == 3
    assert (machine.store / "deployment.yaml").read_text() == text


def test_development_is_not_armed(machine: OperatorMachine) -> None:
    machine.deploy(mode="development")
    said = machine.run("arm", "--yes", "--store", f"file://{machine.store}", "--node", "1", AUTOSCALER_SETTINGS="")
    assert said.code == 3
    assert read_deployment(read_yaml((machine.store / "deployment.yaml").read_text(), "d")).mode is Mode.DEVELOPMENT


def test_a_file_that_came_up_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    from helperscripts.verbs.init import _write_new

    (tmp_path / "s.yaml").write_text("mine")
    with pytest.raises(FileExistsError):
        _write_new(tmp_path / "s.yaml", "ours")
    assert (tmp_path / "s.yaml").read_text() == "mine"
