"""`init`: this machine's settings, and the first documents in the Store."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from helperscripts import inquiry
from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks
from utilities.errors import Unreachable

if TYPE_CHECKING:
    from autoscaler.ports import Store
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
        "autoscaler init --yes --store s3://bucket/site --node 2     a second node: settings only",
    ],
)
@click.option("--provider", metavar="NAME", help="Who rents the webservers; `autoscaler providers` lists them.")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="A setting of the provider: number or text; repeat it."
)
@click.option("--pool", metavar="NAME", help="Part of every webserver's name.  [default: web]")
@click.option("--nodes", type=click.IntRange(1, 99), metavar="N", help="How many nodes there will be.  [default: 1]")
@click.option("--webservers", type=click.IntRange(1), metavar="N", help="How many are wanted.  [default: 2]")
@click.option("--ssh-key", metavar="PATH", help="The key that logs in to webservers; made when it is not there.")
@click.option("--reboot", metavar="COMMAND", help="Reboots this machine after a cycle; '' means never.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; what is not given is the default.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, write nothing.")
@asks
@click.pass_obj
def command(
    ask: Ask, provider: str | None, sets: tuple[str, ...], pool: str | None, nodes: int | None,
    webservers: int | None, ssh_key: str | None, reboot: str | None, yes: bool, dry_run: bool,
) -> int:
    """Write this machine's settings.yaml, and into the Store deployment.yaml (mode observe) and profile.cnf.

    Nothing that is there already is written over: on a second node only the settings are new.
    """
    asking = sys.stdin.isatty() and not yes and not ask.json
    path = inquiry.path_of(ask)
    before, store_url, node = inquiry.placed(ask, path, asking)
    settings = replace(before, store=store_url, node=node)
    store = _open(settings, dry_run)
    documents: list[Document] = []
    found = store.get(DEPLOYMENT) if store is not None else None
    if found is not None:
        documents.append(Document(f"{DEPLOYMENT} in {store_url}", "", there=True))
        name, options = inquiry.named(found.body)
    else:
        name, options = inquiry.provider(provider, sets, asking, settings)
        fleet = inquiry.answered("pool (part of every webserver's name)", pool, "web", asking)
        count = int(inquiry.answered("nodes (autoscaler machines that share the work)", nodes, max(1, node), asking))
        from helperscripts.first import deployment_text

        text = deployment_text(fleet, max(count, 1), name, options, inquiry.login(name))
        documents.append(Document(f"{DEPLOYMENT} in {store_url}", text))
    if store is not None and store.get(PROFILE) is not None:
        documents.append(Document(f"{PROFILE} in {store_url}", "", there=True))
    else:
        number = int(inquiry.answered("webservers wanted", webservers, 2, asking))
        documents.append(Document(f"{PROFILE} in {store_url}", _profile_text(ask, number)))
    key = inquiry.key(ssh_key, name, options, path, asking, dry_run)
    argv = inquiry.reboot(reboot, name, asking)
    documents.insert(0, _settings(path, store_url, node, argv, key))
    _checked(documents)
    return _write(ask, documents, store, path, dry_run)


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


def _settings(path: Path, store: str, node: int, argv: tuple[str, ...], key: Path | None) -> Document:
    if path.exists():
        return Document(str(path), "", there=True)
    from helperscripts.first import settings_text

    return Document(str(path), settings_text(store, node, argv, key))


def _checked(documents: list[Document]) -> None:
    """What we write is read back by the same strict reader first: no half of it lands."""
    from autoscaler.deployment import read_deployment
    from utilities.documents import read_yaml

    for document in documents:
        if document.where.startswith(DEPLOYMENT) and not document.there:
            read_deployment(read_yaml(document.text, DEPLOYMENT))


def _write(ask: Ask, documents: list[Document], store: Store | None, path: Path, dry_run: bool) -> int:
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
        ask.say("", "Next: autoscaler doctor, then plan, arm and crontab install")
    return 0


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
