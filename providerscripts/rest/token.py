"""A vendor's token, from a file or the environment. Never from deployment.yaml, which all nodes read in the Store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from security.modes import read_private
from security.secrets import Secret
from utilities.errors import DocumentFault, Unreachable

__all__ = ["Token", "read_token", "token_settings"]


class Token:
    """The secret, and in which words a person finds it."""

    def __init__(self, secret: Secret, where: str) -> None:
        self.secret, self.where = secret, where


def token_settings(half: str = "token") -> tuple[str, str]:
    """The two settings that say where it lies."""
    return f"{half}_env", f"{half}_file"


def read_token(settings: Mapping[str, object], title: str, variable: str, half: str = "token") -> Token:
    """From the file that `<half>_file` names, else the variable of `<half>_env`, else `variable`.

    `title` is the adapter's, as in "provider hetzner". DocumentFault when the token itself is written there,
    Unreachable when it is nowhere, or others can read its file.
    """
    env, file = token_settings(half)
    if settings.get(half) is not None:
        told = f"{half}: a secret does not belong here, where all read it: name its place with {file} or {env}"
        raise DocumentFault(title, [told])
    wrong = [key for key in (env, file) if not isinstance(settings.get(key, ""), str)]
    if wrong:
        raise DocumentFault(title, [f"{key}: expected text" for key in wrong])
    path, name = str(settings.get(file, "")), str(settings.get(env, ""))
    if path and name:
        raise DocumentFault(title, [f"{env} and {file}: give one of the two"])
    if path:
        try:
            text = read_private(Path(path).expanduser()).decode(errors="replace").strip()
        except Unreachable as err:
            what = half.replace("_", " ")
            raise Unreachable(f"{title}: {file}: {err}; it must hold the {what}, with mode 0600") from None
        where = path
    else:
        where = f"${name or variable}"
        text = os.environ.get(name or variable, "").strip()
    if not text:
        hint = f"{path} is empty" if path else f"{where} is not set (cron knows no variables of your shell)"
        way = f"put it into a file of mode 0600 and name it with {file}"
        raise Unreachable(f"{title} has no {half.replace('_', ' ')}: {hint}; {way}")
    if any(c.isspace() or not c.isprintable() or ord(c) > 126 for c in text):
        raise Unreachable(f"{title}: {where} holds no {half.replace('_', ' ')}: blanks or odd letters are in it")
    return Token(Secret(text), where)
