"""Settings: this machine's file. Where the Store is, which node this is, where its credentials are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utilities.errors import AskerErred, DocumentFault, Fault

if TYPE_CHECKING:
    from autoscaler.section import Section
    from security.secrets import Secret

__all__ = ["S3", "Settings", "find_settings", "ordinal", "read_settings", "state_directory", "usual_paths"]

SYSTEM = Path("/etc/autoscaler/settings.yaml")
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class S3:
    """How to reach an s3 Store, where its URL does not say. Without keys boto3's own chain finds them."""

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None  # of ~/.aws
    access_key: Secret | None = None
    secret_key: Secret | None = None
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    access_key_env: str | None = None
    secret_key_env: str | None = None


@dataclass(frozen=True)
class Settings:
    """`source` is the file they were read from, None when there is none."""

    store: str | None = None
    node: int | None = None
    s3: S3 = field(default_factory=S3)
    ssh_key: Path | None = None
    reboot: tuple[str, ...] | None = None  # None: nobody said; (): this machine must not be rebooted
    boot_file: Path | None = None  # stands in for /proc in a container
    notify: tuple[str, ...] = ()  # gets each alarm as JSON on stdin
    heartbeat: tuple[str, ...] = ()  # runs after each good tick
    hurry: int = 1  # divides the Deployment's waiting periods: for demonstrations and tests
    state: Path = Path("/var/lib/autoscaler")
    source: Path | None = None


def find_settings(
    environ: Mapping[str, str],
    path: str | None = None,
    store: str | None = None,
    node: int | None = None,
) -> Settings:
    """The Settings, from `path` or the usual places, the command line over the environment over the file.

    No file at all is allowed: `adjust-scaling` needs nothing but AUTOSCALER_STORE. DocumentFault, AskerErred.
    """
    chosen = path or environ.get("AUTOSCALER_SETTINGS")
    if chosen:
        found: Path | None = Path(chosen)
        if not _there(Path(chosen)):
            by = "--settings" if path else "AUTOSCALER_SETTINGS"
            raise AskerErred(f"{by} names {chosen}, and there is no such file: `autoscaler init` writes one")
    else:
        found = next((p for p in usual_paths(environ) if _there(p)), None)
    settings = read_settings(found, environ) if found else Settings(state=state_directory(environ))
    url = store or environ.get("AUTOSCALER_STORE") or settings.store
    number = node if node is not None else ordinal(environ)
    return replace(settings, store=url, node=number if number is not None else settings.node)


def usual_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where settings are looked for, in order."""
    folder = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME') or Path.home()}/.config"
    return (SYSTEM, Path(folder) / "autoscaler" / "settings.yaml")


def state_directory(environ: Mapping[str, str]) -> Path:
    """AUTOSCALER_STATE, else /var/lib/autoscaler where we may write, else the user's state folder."""
    if chosen := environ.get("AUTOSCALER_STATE"):
        return Path(chosen).absolute()
    system = Path("/var/lib/autoscaler")
    if os.access(system if system.exists() else system.parent, os.W_OK):
        return system
    folder = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or Path.home()}/.local/state"
    return Path(folder) / "autoscaler"


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """The file, strictly: DocumentFault with every fault and its line, also for a secret shown to others."""
    from autoscaler.section import Section
    from utilities.documents import read_yaml

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as err:
        raise DocumentFault(str(path), [f"cannot be read: {getattr(err, 'strerror', None) or err}"]) from None
    document = read_yaml(text, str(path))
    faults: list[Fault] = []
    top = Section(document, (), faults)
    node = top.integer("node", 0, low=1, high=99) or None
    settings = Settings(
        store=top.text("store", "") or None,
        node=node,
        s3=_s3(top.section("s3"), path.parent),
        ssh_key=_path(top, "ssh_key", path.parent),
        reboot=top.words("reboot"),
        boot_file=_path(top, "boot_file", path.parent),
        notify=_program(top, "notify"),
        heartbeat=_program(top, "heartbeat"),
        hurry=top.integer("hurry", 1, low=1, high=100_000),
        state=_path(top, "state", path.parent) or state_directory(environ),
        source=path,
    )
    if environ.get("AUTOSCALER_STATE"):
        settings = replace(settings, state=state_directory(environ))
    top.unknown()
    if settings.s3.access_key or settings.s3.secret_key:
        from security.modes import complaint

        if wrong := complaint(path):
            faults.append(Fault(document.line("s3"), f"a secret stands here, and {wrong}"))
    if faults:
        raise DocumentFault(str(path), sorted(faults))
    return settings


def _s3(section: Section, folder: Path) -> S3:
    from security.secrets import Secret

    access, secret = section.text("access_key", ""), section.text("secret_key", "")
    s3 = S3(
        endpoint=section.text("endpoint", "", r"https?://\S+", "write https://HOST") or None,
        region=section.text("region", "") or None,
        profile=section.text("profile", "") or None,
        access_key=Secret(access) if access else None,
        secret_key=Secret(secret) if secret else None,
        access_key_file=_path(section, "access_key_file", folder),
        secret_key_file=_path(section, "secret_key_file", folder),
        access_key_env=section.text("access_key_env", "", _VARIABLE, "a variable's name") or None,
        secret_key_env=section.text("secret_key_env", "", _VARIABLE, "a variable's name") or None,
    )
    section.unknown()
    for half in ("access_key", "secret_key"):
        ways = [key for key in (half, f"{half}_file", f"{half}_env") if getattr(s3, key)]
        if len(ways) > 1:
            section.fault(ways[1], f"{' and '.join(ways)} both say it: keep one")
    given = [bool(getattr(s3, h) or getattr(s3, f"{h}_file") or getattr(s3, f"{h}_env"))
             for h in ("access_key", "secret_key")]
    if any(given) and not all(given):
        section.fault("", "an access key and a secret key go together; one of them is missing")
    return s3


def _program(section: Section, key: str) -> tuple[str, ...]:
    """A program and its words; `[]` is none."""
    words = section.words(key) or ()
    if words and not words[0].strip():
        section.fault(key, f"the first word of {key} names the program, and it is empty")
    return words


def _path(section: Section, key: str, folder: Path) -> Path | None:
    """`~` is the user's home; what is relative is so to the settings file."""
    text = section.text(key, "")
    return (folder / Path(text).expanduser()).absolute() if text else None


def _there(path: Path) -> bool:
    """A settings file that we may not read is there all the same: reading it says so."""
    try:
        return path.exists()
    except PermissionError:
        return True


def ordinal(environ: Mapping[str, str]) -> int | None:
    """Which node AUTOSCALER_NODE says this is; None when it says nothing. AskerErred when it says nonsense."""
    text = environ.get("AUTOSCALER_NODE")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 99:
        raise AskerErred(f"AUTOSCALER_NODE is {text!r}: it must be a whole number from 1 to 99")
    return int(text)
