"""`init`: this machine's settings, and the first documents in the Store."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from helperscripts import inquiry
from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks
from utilities.errors import AskerErred, DocumentFault, Unreachable

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.ports import Store, Stored
    from helperscripts.settings import Settings

__all__ = ["command"]

PROFILE = "scalingprofile/profile.cnf"
DEPLOYMENT = "deployment.yaml"


@dataclass
class Document:
    """One that `init` writes, or finds already written."""

    where: str
    text: str
    there: bool = False


@click.command(
    "init",
    cls=Verb,
    examples=[
        "autoscaler init                       asks what it needs to know",
        "autoscaler init --dry-run             shows what it would write",
        "autoscaler init --yes --store s3://bucket/site?endpoint=https://objects.example \\",
        "    --node 1 --provider local --set directory=/var/lib/fleet --webservers 3",
        "autoscaler init --yes --store s3://bucket/site --provider hetzner --server image=debian-12 \\",
        "    --server size=cx22 --server region=fsn1",
        "autoscaler init --yes --store s3://bucket/site --node 2     a second node: settings only",
    ],
)
@click.option("--provider", metavar="NAME", help="Who rents the webservers; `autoscaler providers` lists them.")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="A setting of the provider: number or text; repeat it."
)
@click.option(
    "--server", "parts", multiple=True, metavar="KEY=VALUE",
    help="What a webserver is made of: image=, size=, region=, in the provider's words; repeat it.",
)
@click.option("--pool", metavar="NAME", help="Part of every webserver's name.  [default: web]")
@click.option("--nodes", type=click.IntRange(1, 99), metavar="N", help="How many nodes there will be.  [default: 1]")
@click.option("--webservers", type=click.IntRange(1), metavar="N", help="How many are wanted.  [default: 2]")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Never more than so many.  [default: 20]")
@click.option("--ssh-key", metavar="PATH", help="The key that logs in to webservers; made when it is not there.")
@click.option("--reboot", metavar="COMMAND", help="Reboots this machine after a cycle; '' means never.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; what is not given is the default.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, write nothing.")
@asks
@click.pass_obj
def command(
    ask: Ask, provider: str | None, sets: tuple[str, ...], parts: tuple[str, ...], pool: str | None,
    nodes: int | None, webservers: int | None, most: int | None, ssh_key: str | None, reboot: str | None,
    yes: bool, dry_run: bool,
) -> int:
    """Write this machine's settings.yaml, and into the Store deployment.yaml (mode observe) and profile.cnf.

    Nothing that is there already is written over: on a second node only the settings are new.
    """
    asking = sys.stdin.isatty() and not yes and not ask.json
    path = inquiry.path_of(ask)
    before, store_url, node = inquiry.placed(ask, path, asking)
    settings = replace(before, store=store_url, node=node)
    store = _open(settings, dry_run)
    found = store.get(DEPLOYMENT) if store is not None else None
    profile = store.get(PROFILE) if store is not None else None
    deployment = _known(found.body) if found is not None else None
    if deployment is not None:
        name, options = inquiry.named(deployment)
        count, limits = _nodes(profile, deployment), deployment.limits
    else:
        from autoscaler.wish import Limits

        name, options = inquiry.provider(provider, sets, asking, settings)
        options = inquiry.letting_in(options, name, ssh_key)
        made_of, needed = inquiry.made_of(name, parts, asking)
        fleet = inquiry.pool(pool, asking)
        question = "nodes (autoscaler machines that share the work)"
        count = inquiry.number(question, nodes, max(1, node), asking, 99, lambda n: _has_share(node, n))
        limits = Limits(1, most or 20)
    if profile is not None:
        wished = Document(f"{PROFILE} in {store_url}", "", there=True)
    else:
        there = deployment is not None
        number = inquiry.number(
            "webservers wanted", webservers, min(max(2, limits.min), limits.max), asking,
            check=lambda n: inquiry.within(limits, n, there),
        )
        wished = Document(f"{PROFILE} in {store_url}", _profile_text(ask, number))
    if deployment is not None:
        shared = Document(f"{DEPLOYMENT} in {store_url}", "", there=True)
        if node > count:
            ask.note(f"Node {node} has no share while there are {count}: raise NO_AUTOSCALERS in the Profile.")
    else:
        from helperscripts.first import deployment_text, machine_zone

        login, zone = inquiry.login(name), machine_zone()
        made_of = made_of or {key: key.upper() for key in needed}
        text = deployment_text(
            fleet, count, name, options, login, limits.min, limits.max, zone, made_of, _balancer(name)
        )
        shared = Document(f"{DEPLOYMENT} in {store_url}", text)
        _checked(text)
    argv = inquiry.reboot(reboot, name, asking)
    key = inquiry.key(ssh_key, name, options, path, asking, dry_run)
    return _write(ask, [_settings(path, settings, argv, key), shared, wished], store, path, dry_run, _empty(options))


def _empty(options: dict[str, str]) -> list[str]:
    """Places of credentials that hold none yet, on this machine."""
    from helperscripts.adapter_page import HALVES

    files = {half: options[f"{half}_file"] for half in HALVES if f"{half}_file" in options}
    return [f"{half} into {file}" for half, file in files.items() if not Path(file).expanduser().exists()]


def _balancer(provider: str) -> list[str]:
    """The DNS of the same vendor as an example, where it has one."""
    from helperscripts.adapter_page import snippet
    from helperscripts.wiring import known_adapters

    return next((snippet("balancer", about) for about in known_adapters()[1] if about.name == provider), [])


def _has_share(node: int, count: int) -> None:
    if node > count:
        raise AskerErred(f"node {node} of {count} would have no share: say --nodes {node}, or a lower --node")


def _known(body: bytes) -> Deployment:
    from autoscaler.deployment import read_deployment
    from utilities.documents import read_yaml

    return read_deployment(read_yaml(body.decode(errors="replace"), DEPLOYMENT))


def _nodes(profile: Stored | None, deployment: Deployment) -> int:
    """How many share the work: what the Profile says, else the Deployment. A faulty Profile is doctor's to tell."""
    from autoscaler.profile import read_profile

    if profile is None:
        return deployment.nodes
    try:
        return read_profile(profile.body.decode(errors="replace"), PROFILE).autoscalers or deployment.nodes
    except DocumentFault:
        return deployment.nodes


def _open(settings: Settings, dry_run: bool) -> Store | None:
    from helperscripts.wiring import open_store

    try:
        store = open_store(settings, make=not dry_run, judging="anew")
        store.get(DEPLOYMENT)
        return store
    except Unreachable:
        if dry_run:
            return None  # a directory that is not made yet holds no documents
        raise


def _profile_text(ask: Ask, number: int) -> str:
    from autoscaler.profile import set_number
    from helperscripts.wiring import clock

    return set_number(None, number, ask.who, clock().now(), "autoscaler init").text()


def _settings(path: Path, settings: Settings, argv: tuple[str, ...], key: Path | None) -> Document:
    if path.exists():
        return Document(str(path), "", there=True)
    from helperscripts.first import settings_text

    # Said in this shell only, it would be another folder at the next call.
    state = settings.state if os.environ.get("AUTOSCALER_STATE") else None
    return Document(str(path), settings_text(settings.store or "", settings.node or 1, argv, key, state=state))


def _checked(text: str) -> None:
    """What we write is read back by the same strict reader first: no half of it lands."""
    try:
        _known(text.encode())
    except DocumentFault as fault:  # the words are the asker's: the document is not written yet
        raise AskerErred("; ".join(sentence for _, sentence in fault.faults)) from None


def _write(
    ask: Ask, documents: list[Document], store: Store | None, path: Path, dry_run: bool, empty: list[str]
) -> int:
    from autoscaler.ports import LostRace

    wrote: list[str] = []
    for document in documents:
        if document.there:
            ask.say(f"already there: {document.where}")
            continue
        if dry_run or store is None:
            lines = (f"    {line}".rstrip() for line in document.text.splitlines())
            ask.say(f"would write {document.where}:", "", *lines, "")
            continue
        try:
            if document.where == str(path):
                _write_new(path, document.text)
            else:
                store.create(document.where.split(" in ")[0], document.text.encode())
        except (LostRace, FileExistsError):
            ask.say(f"already there: {document.where}")
            continue
        except OSError as err:
            raise Unreachable(f"{path} cannot be written: {err.strerror}; name another with --settings") from None
        wrote.append(document.where)
        ask.say(f"wrote {document.where}")
    ask.answer({
        "wrote": wrote,
        "there": [d.where for d in documents if d.there],
        "documents": {d.where: d.text for d in documents if not d.there},
    })
    if not dry_run:
        named = _named(path)
        so = "the same with " if named else ""
        if empty:
            ask.say("", f"Put the {' and the '.join(empty)}, with mode 0600, on every node.")
        ask.say("", f"Next: autoscaler doctor{named}, then {so}plan, arm and crontab install")
    return 0


def _named(path: Path) -> str:
    """How further calls must name the settings file; empty where they find it by themselves."""
    from helperscripts.settings import usual_paths

    if os.environ.get("AUTOSCALER_SETTINGS"):
        usual = Path(os.environ["AUTOSCALER_SETTINGS"]).absolute()
        return "" if usual == path else f" --settings {shlex.quote(str(path))}"
    found = next((p for p in usual_paths(os.environ) if p.exists()), None)
    return "" if found == path else f" --settings {shlex.quote(str(path))}"


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
