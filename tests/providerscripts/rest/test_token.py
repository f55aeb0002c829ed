"""A token comes from a private file or the environment, never from what all can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from providerscripts.rest.extras import read_extras
from providerscripts.rest.token import read_token
from utilities.errors import DocumentFault, Unreachable


def token(tmp_path: Path, text: str = "tok-4711", mode: int = 0o600) -> dict[str, object]:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    return {"token_file": str(path)}


def test_from_a_file(tmp_path: Path) -> None:
    found = read_token(token(tmp_path, "tok-4711\n"), "provider acme", "ACME_TOKEN")
    assert (found.secret.reveal(), found.where) == ("tok-4711", str(tmp_path / "token"))


def test_from_the_named_variable_or_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "usual")
    monkeypatch.setenv("MINE", "mine")
    assert read_token({}, "provider acme", "ACME_TOKEN").secret.reveal() == "usual"
    found = read_token({"token_env": "MINE"}, "provider acme", "ACME_TOKEN")
    assert (found.secret.reveal(), found.where) == ("mine", "$MINE")


def test_none_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ACME_TOKEN", raising=False)
    with pytest.raises(Unreachable, match=r"provider acme has no token: \$ACME_TOKEN is not set .* token_file"):
        read_token({}, "provider acme", "ACME_TOKEN")
    with pytest.raises(Unreachable, match="is empty"):
        read_token(token(tmp_path, "\n"), "provider acme", "ACME_TOKEN")
    with pytest.raises(Unreachable, match=r"token_file: .* does not exist; it must hold the token, with mode 0600"):
        read_token({"token_file": str(tmp_path / "nowhere")}, "provider acme", "ACME_TOKEN")
    with pytest.raises(Unreachable, match="chmod 600"):
        read_token(token(tmp_path, mode=0o644), "provider acme", "ACME_TOKEN")


@pytest.mark.parametrize("text", ["two words", "tok\x00en", "t\u00f6ken", "a\nb"])
def test_what_no_header_can_carry_is_told_without_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreachable, match="holds no token") as caught:
        read_token(token(tmp_path, text), "provider acme", "ACME_TOKEN")
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"token": "tok-4711"}, {"token_env": "A", "token_file": "/b"}, {"token_file": 3}, {"token_env": ["A"]}],
)
def test_faults_of_the_document(settings: dict[str, object]) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_token(settings, "provider acme", "ACME_TOKEN")
    assert "4711" not in str(caught.value)


def test_extras_are_read_strictly() -> None:
    given = {"ssh_keys": "ops", "firewalls": [1, "web"], "labels": {"team": "shop"}, "address": "private", "disk": 20}
    extras, faults = read_extras(given, more=("disk",))
    assert faults == ()
    assert (extras.ssh_keys, extras.firewalls, extras.private) == (("ops",), ("1", "web"), True)
    assert extras.more == {"disk": 20}
    odd = {"ssh_key": "ops", "labels": {"autoscaler-pool": "x"}, "address": "v6", "network": ["a", "b"]}
    _, faults = read_extras(odd)
    assert len(faults) == 4
    _, faults = read_extras({"tags": ["autoscaler-pool:other"], "disk": 3})
    assert len(faults) == 2
