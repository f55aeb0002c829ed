"""The Inquiry: what `init` has to know, from flags, from what is there already, or from a person at a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.question import put
from utilities.errors import AskerErred

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.wish import Limits
    from helperscripts.settings import Settings
    from helperscripts.wiring import About

__all__ = [
    "answered", "key", "login", "made_of", "named", "number", "path_of", "placed", "pool", "provider", "reboot",
    "within",
]  # fmt: skip

HERE = ("local", "docker", "memory")  # providers whose webservers would go down with this machine


def path_of(ask: Ask) -> Path:
    """Where this machine's settings are, or will be."""
    from helperscripts.settings import SYSTEM, usual_paths

    chosen = ask.settings_path or os.environ.get("AUTOSCALER_SETTINGS")
    if chosen:
        return Path(chosen).absolute()
    for path in usual_paths(os.environ):
        if path.exists():
            return path
    above = SYSTEM.parent if SYSTEM.parent.exists() else SYSTEM.parent.parent
    return SYSTEM if os.access(above, os.W_OK) else usual_paths(os.environ)[1]


def placed(ask: Ask, path: Path, asking: bool) -> tuple[Settings, str, int]:
    """The Settings there are, the Store's URL, and which node this is. AskerErred when nobody can tell."""
    from helperscripts.settings import Settings, ordinal, read_settings, state_directory

    before = read_settings(path, os.environ) if path.exists() else Settings(state=state_directory(os.environ))
    url = ask.store_url or os.environ.get("AUTOSCALER_STORE") or before.store
    if not url and not asking:
        raise AskerErred("where is the Store? Say --store s3://BUCKET/PREFIX or --store file:///DIRECTORY")
    url = url or put("Store (s3://BUCKET/PREFIX or file:///DIRECTORY)", _store_url)
    node = ask.node or ordinal(os.environ) or before.node
    node = number("node (1 for the first machine, 2 for the second)", node, 1, asking, 99)
    return before, url, node


def answered(question: str, given: object, default: object, asking: bool) -> str:
    """What was given; else the person's answer; else the default."""
    if given is not None:
        return str(given)
    return put(question, str, default) if asking else str(default)


def number(
    question: str, given: int | None, default: int, asking: bool, most: int = 999_999,
    check: Callable[[int], None] = lambda _: None,
) -> int:
    """A whole number from 1 to `most` that `check` lets pass, from where `answered` takes it. AskerErred."""
    what = question.split(" (")[0]

    def read(answer: str) -> int:
        found = int(answer) if re.fullmatch(r"-?[0-9]{1,9}", answer.strip(), re.ASCII) else 0
        if not 1 <= found <= most:
            raise AskerErred(f"{what} {answer} is none: 1 to {most}")
        check(found)
        return found

    if given is None and asking:
        return put(question, read, default)
    return read(str(default if given is None else given))


def pool(given: str | None, asking: bool) -> str:
    """The pool's name. AskerErred."""
    def read(name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
            by = "--pool " if given is not None else ""
            raise AskerErred(f"{by}{name!r} is no name for a pool: a-z and 0-9, at most 12, a letter first")
        return name

    question = "pool (part of every webserver's name)"
    return put(question, read, "web") if given is None and asking else read("web" if given is None else given)


def within(limits: Limits, webservers: int, there: bool) -> None:
    """AskerErred when the first number is beyond the limits. `there`: these are written already."""
    if limits.min <= webservers <= limits.max:
        return
    side, bound, key = ("more", limits.max, "max") if webservers > limits.max else ("fewer", limits.min, "min")
    way = f"change limits.{key} in deployment.yaml first" if there else f"say --max {webservers} too"
    raise AskerErred(f"{webservers} webservers are {side} than {key} {bound}: {way}")


def provider(
    given: str | None, sets: tuple[str, ...], asking: bool, settings: Settings
) -> tuple[str, dict[str, str]]:
    """The Provider's name and its settings. AskerErred."""
    from helperscripts.wiring import known_adapters

    known = {about.name: about for about in known_adapters()[0] if about.name != "memory"}

    def read(name: str) -> str:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, list(known), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise AskerErred(f"there is no provider {name!r}; {hint}")
        return name

    question = f"provider ({', '.join(known)})"
    name = put(question, read, "local") if given is None and asking else read(given or "local")
    options: dict[str, str] = {}
    for word in sets:
        key, equals, value = word.partition("=")
        if not equals or key not in (*known[name].required, *known[name].optional):
            may = ", ".join((*known[name].required, *known[name].optional))
            raise AskerErred(f"--set {word}: provider {name} takes KEY=VALUE with {may}")
        options[key] = value
    for key in known[name].required:
        if key in options:
            continue
        default = str(settings.state / "local") if (name, key) == ("local", "directory") else None
        if default is None and not asking:
            raise AskerErred(f"provider {name} needs --set {key}=VALUE")
        options[key] = answered(f"{name}: {key}", None, default, asking)
    return name, {**options, **_secrets(known[name], options, asking)}


def _secrets(about: About, options: Mapping[str, str], asking: bool) -> dict[str, str]:
    """Where each half of its credentials will lie: cron knows no variables of a shell, so a file on every node."""
    from helperscripts.adapter_page import HALVES, secret_file

    return {
        f"{half}_file": answered(
            f"{about.name}: file of mode 0600 that will hold the {half}, on every node", None,
            secret_file(about.name, half), asking,
        )
        for half in HALVES
        if f"{half}_file" in about.settings and not {f"{half}_file", f"{half}_env"} & set(options)
    }


def made_of(name: str, given: tuple[str, ...], asking: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """What a webserver is made of, in the Provider's words, and the words that it must have. AskerErred.

    Empty where nothing was given and nobody can be asked: the Deployment then shows the words as a comment.
    """
    from helperscripts.wiring import known_adapters

    needed = next(about.server for about in known_adapters()[0] if about.name == name)
    words: dict[str, str] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not re.fullmatch(r"[a-z_]+", key) or not equals or not value:
            raise AskerErred(f"--server {word}: it takes KEY=VALUE, such as image=debian-12")
        words[key] = value
    for key in needed:
        if key not in words and asking:
            words[key] = put(f"{name}: {key} of a webserver", str)
    lacking = [key for key in needed if key not in words]
    if words and lacking:
        raise AskerErred(f"provider {name} needs {' and '.join(f'--server {key}=VALUE' for key in lacking)} too")
    return words, needed


def letting_in(options: dict[str, str], name: str, given: str | None) -> dict[str, str]:
    """The Provider's options for a new Deployment: local webservers, which we make, let in the key that was named."""
    if name != "local" or given is None or "authorized_keys" in options:
        return options
    return {**options, "authorized_keys": f"{Path(given).expanduser().absolute()}.pub"}


def login(name: str) -> dict[str, str]:
    """How to log in to its webservers, where we can know it."""
    if name != "local":
        return {}
    import pwd

    return {"user": pwd.getpwuid(os.getuid()).pw_name, "marker": "READY"}


def named(found: Deployment) -> tuple[str, dict[str, str]]:
    """The Provider's name and settings in a Deployment that is there already."""
    return found.provider.name, {key: str(value) for key, value in found.provider.options.items()}


def key(
    given: str | None, name: str, options: dict[str, str], path: Path, asking: bool, dry_run: bool
) -> Path | None:
    """The private key for SSH; made when it was asked for and is not there. AskerErred for one nobody lets in."""
    if name == "local" and "authorized_keys" not in options:
        own = Path(options.get("directory", "")).absolute() / "login_key"  # the local provider makes it
        if given is not None and Path(given).expanduser().absolute() != own:
            raise AskerErred(
                f"--ssh-key {given}: the webservers of the Deployment that is there let in {own} alone: leave "
                "--ssh-key out, or write `authorized_keys` below its provider first"
            )
        return own
    usual = path.parent / "id_ed25519"
    if given is None and asking and not path.exists():
        question = f"an SSH key for health checks over SSH (path, such as {usual}; empty for none)"
        given = click.prompt(question, default="", show_default=False, err=True) or None
    if given is None:
        return None
    found = Path(given).expanduser().absolute()
    if not found.exists() and not dry_run:
        from security.keys import make_pair

        line = make_pair(found, f"autoscaler@{os.uname().nodename}")
        click.echo(f"made {found}; put this line into the webservers' authorized_keys:\n{line}", err=True)
    return found


def reboot(given: str | None, name: str, asking: bool) -> tuple[str, ...]:
    """The command that reboots this machine; none where that would take the webservers along."""
    import shlex

    def read(command: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(command))
        except ValueError as err:
            by = "--reboot " if given is not None else ""
            raise AskerErred(f"{by}{command!r} is no command: {str(err).lower()}") from None

    if given is None and (name in HERE or _contained()):
        return ()  # its reboot would take the webservers, or the container's host, along
    if given is None and asking:
        return put("command that reboots this machine after a cycle (empty: never)", read, "systemctl reboot")
    return read(given or "")


def _store_url(url: str) -> str:
    """The URL, if it is one; whether the Store answers is found out afterwards. AskerErred."""
    from helperscripts.settings import Settings
    from helperscripts.wiring import check_store

    check_store(Settings(store=url))
    return url


def _contained() -> bool:
    return any(Path(p).exists() for p in ("/.dockerenv", "/run/.containerenv", "/run/systemd/container"))
