"""providers: a table that fits, and a page on one whose lines for deployment.yaml are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from autoscaler.deployment import read_deployment
from helperscripts import screen
from helperscripts.adapter_page import snippet
from helperscripts.wiring import known_adapters
from providerscripts import catalogue
from providerscripts.catalogue import About
from tests.helperscripts.desk import call
from utilities.documents import read_yaml

SERVERS, BALANCERS = known_adapters()
ALL = [("provider", a) for a in SERVERS] + [("balancer", a) for a in BALANCERS]
IDS = [f"{kind} {about.name}" for kind, about in ALL]


def test_the_table_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "width", lambda: 80)
    lines = call("providers").out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert {about.name for about in (*SERVERS, *BALANCERS)} <= {line.partition(" ")[0] for line in lines}
    for about in (*SERVERS, *BALANCERS):
        assert [line for line in call("providers", about.name).out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(("kind", "about"), ALL, ids=IDS)
def test_every_setting_has_its_line(kind: str, about: About) -> None:
    assert set(about.settings) == {*about.required, *about.optional}
    assert [key for key, line in about.settings.items() if not line] == []


@pytest.mark.parametrize(("kind", "about"), ALL, ids=IDS)
def test_what_its_page_writes_is_a_deployment(kind: str, about: About) -> None:
    text = "\n".join(["pool: web", *(["provider: {name: memory}"] if kind == "balancer" else []),
                      *snippet(kind, about)])
    found = read_deployment(read_yaml(text, "deployment.yaml"))
    adapter = found.provider if kind == "provider" else found.balancers[0]
    assert adapter.name == about.name
    assert set(about.required) <= set(adapter.options) <= set(about.settings)
    assert not {"token", "key", "secret"} & set(adapter.options)  # a secret never stands there
    assert set(found.server) == set(about.server)


@pytest.mark.parametrize(("kind", "about"), ALL, ids=IDS)
def test_its_page_shows_it_in_full(kind: str, about: About) -> None:
    said = call("providers", about.name)
    assert said.code == 0
    assert f"{kind} {about.name}\n  {about.description}" in said.out
    for key, line in about.settings.items():
        assert re.search(rf"^{key} +(yes|no) +{re.escape(line)}$", said.out, re.MULTILINE), key
    if about.traits is not None:
        assert f"billed     by the {about.traits.billing}" in said.out
    if about.extra:
        assert f"pip install 'autoscaler-toolkit[{about.extra}]'" in said.out
    assert "In deployment.yaml:" in said.out
    whole = call("providers", about.name, "--json").json
    assert about.name in [a["name"] for a in whole[f"{kind}s"]]
    assert {a["name"] for room in whole.values() for a in room} == {about.name}


def test_a_page_is_yaml_as_it_stands() -> None:
    out = call("providers", "local").out
    assert yaml.safe_load(out.partition("In deployment.yaml:")[2]) == {
        "provider": {"name": "local", "directory": "DIRECTORY"}
    }


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    said = call("providers", "hetzer")
    assert said.code == 2
    assert "there is no provider or balancer 'hetzer'; did you mean hetzner?\n" in said.err
    assert "there are aws" in call("providers", "qqqq").err


def test_one_that_is_broken_is_told_and_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = catalogue._adapter

    def broken(room: str, name: str, where: str) -> object:
        if name == "vultr":
            raise ImportError("cannot import name 'x'")
        return adapter(room, name, where)

    monkeypatch.setattr(catalogue, "_adapter", broken)
    said = call("providers")
    assert said.code == 0
    assert re.search(r"^vultr +it cannot be loaded: ImportError", said.out, re.MULTILINE)
    assert "hetzner" in said.out
    assert "it cannot be loaded" in call("providers", "vultr").out


def test_one_of_a_third_party_says_where_it_is_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "another_cloud.py").write_text(
        "from autoscaler.server import Traits\n"
        "DESCRIPTION = 'a cloud of their own'\nREQUIRED = ('token_file', 'site')\nTRAITS = Traits(billing='hour')\n"
        "SETTINGS = {'site': 'which of their sites'}\nSERVER = ('size',)\nEXTRA = 'their-sdk'\n"
    )
    meta = tmp_path / "their_cloud-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-cloud\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[autoscaler.providers]\ntheirs = another_cloud\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "a cloud of their own; from their-cloud" in call("providers").out
    out = call("providers", "theirs").out
    assert re.search(r"^site +yes +which of their sites$", out, re.MULTILINE)
    assert "pip install 'their-sdk'" in out
    assert re.search(r"^from +their-cloud$", out, re.MULTILINE)
    assert yaml.safe_load(out.partition("In deployment.yaml:")[2])["server"] == {"size": "SIZE"}
