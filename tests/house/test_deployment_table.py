"""The tables of deployment.yaml and of HAProxy's options have every key that the code reads, with its default."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.deployment import Deployment, Rules, read_deployment
from autoscaler.offer import ITS_OWN
from autoscaler.rung import Http, Ladder, Ssh
from autoscaler.softening import Healing
from autoscaler.wish import Limits
from providerscripts import catalogue
from providerscripts.balancers import haproxy
from providerscripts.dns import account
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

LINE = re.compile(r"^\| `(?P<key>[a-z_.]+)` \| [^|]+ \| (?P<default>[^|]+) \| [^|]+ \|$", re.MULTILINE)


def table(checkout: Path) -> dict[str, str]:
    """Key to the cell of its default."""
    text = (checkout / "docs/operating.md").read_text()
    found = LINE.findall(text[text.index("test_deployment_table.py") : text.index("## Settings")])
    assert len({key for key, _ in found}) == len(found)
    return {key: default.strip() for key, default in found}


def keys_of(kind: type, above: str = "") -> Iterator[str]:
    """What the dataclasses hold, as the document names it."""
    parts = {"limits": Limits, "rules": Rules, "healing": Healing, "ladder": Ladder, "http": Http, "ssh": Ssh}
    for field in dataclasses.fields(kind):
        key = f"{above}{field.name}"
        if not field.compare or key == "ladder.ssh.key":
            continue  # where a limit comes from; what each machine's settings say
        if field.name == "ssh":
            yield key
        if field.name in parts:
            yield from keys_of(parts[field.name], f"{key}.")
        else:
            yield f"{key}.name" if field.name == "provider" else key
        if field.name == "server":
            yield from (f"server.{word}" for word in ITS_OWN)  # what stands besides is the provider's


def document(table: dict[str, str], ssh: bool) -> str:
    """All defaults of the table, said."""
    values: dict[str, Any] = {}
    for key, cell in table.items():
        if cell in ("none", "required") or (key.startswith("ladder.ssh.") and not ssh):
            continue
        above, _, name = key.rpartition(".")
        section = values
        for part in filter(None, above.split(".")):
            section = section.setdefault(part, {})
        section[name] = yaml.safe_load(cell.strip("`"))
    values |= {"pool": "web"}
    values.setdefault("provider", {})["name"] = "memory"
    return yaml.safe_dump(values)


def test_every_key_stands_there_and_no_other(checkout: Path) -> None:
    assert set(table(checkout)) == {"format", *keys_of(Deployment)}


def test_the_defaults_are_the_codes(checkout: Path) -> None:
    for ssh in (False, True):
        least = "pool: web\nprovider: {name: memory}\n" + ("ladder: {ssh: {}}\n" if ssh else "")
        bare = read_deployment(read_yaml(least, "least"))
        said = read_deployment(read_yaml(document(table(checkout), ssh), "said"))
        assert abs(said.rules.brake - bare.rules.brake) < 0.001  # a third has no end
        rules = dataclasses.replace(said.rules, brake=bare.rules.brake)
        assert dataclasses.replace(said, rules=rules) == bare


def test_what_is_required_is_required(checkout: Path) -> None:
    required = {key for key, cell in table(checkout).items() if cell == "required"}
    assert required == {"pool", "provider.name"}
    for text in ("pool: web\nprovider: {}\n", "provider: {name: memory}\n"):
        with pytest.raises(DocumentFault):
            read_deployment(read_yaml(text, "less"))


def test_haproxys_options_are_the_codes(checkout: Path) -> None:
    text = (checkout / "docs/balancers.md").read_text().partition("\n## DNS\n")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)
    assert {key for key, _ in rows} == {*haproxy.REQUIRED, *haproxy.OPTIONAL}
    assert {key for key, cell in rows if cell == "required"} == set(haproxy.REQUIRED)
    needed = {"file": "/f", "socket": "/s", "backend": "web"}
    said = {key: yaml.safe_load(cell.strip("`")) for key, cell in rows if cell not in ("none", "required")}
    assert vars_of(haproxy.build(needed | said)) == vars_of(haproxy.build(needed))


def test_the_options_of_dns_are_the_codes(checkout: Path) -> None:
    """Those that all vendors have stand in one table, what one has alone in its row of the other."""
    text = (checkout / "docs/balancers.md").read_text().partition("\n## DNS\n")[2]
    shared, vendors = text.split("| vendor |")
    first = re.findall(r"^\|([^|]+)\|", shared, re.MULTILINE)
    common = {key for cell in first for key in re.findall(r"`(\w+)`", cell)}
    assert common == {*account.REQUIRED, *account.OPTIONAL}
    rows = dict(re.findall(r"^\| `(\w+)` (\|.*)$", vendors, re.MULTILINE))
    for name in catalogue._DNS:
        module = importlib.import_module(f"providerscripts.dns.{name}")
        if module._TTLS.words:
            assert f"| {module._TTLS.words[0]}, {module._TTLS.words[1]} ... |" in rows[name]
        else:
            assert f"| from {module._TTLS.least} |" in rows[name]
        own = {*module.REQUIRED, *module.OPTIONAL} - common
        assert {key for key in own if f"`{key}`" not in rows[name]} == set()
    assert set(rows) == set(catalogue._DNS)


def vars_of(balancer: haproxy.HaproxyBalancer) -> dict[str, object]:
    return {field.name: getattr(balancer, field.name) for field in dataclasses.fields(balancer)}
