"""Our own SSH key pair: made once, private half with mode 0600, read once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from security.modes import read_private, write_private
from utilities.errors import HeldElsewhere, Unreachable

if TYPE_CHECKING:
    import paramiko

__all__ = ["make_pair", "public_line", "read_key"]


def make_pair(path: Path, comment: str = "autoscaler") -> str:
    """A new ed25519 pair: `path` (OpenSSH, 0600, no passphrase) and `path`.pub (0644). Its public line.

    HeldElsewhere when there is a file already: a key that webservers know is never written over.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path.exists():
        raise HeldElsewhere(f"{path} exists already: remove it yourself, or name another file")
    key = Ed25519PrivateKey.generate()
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode() + (f" {comment}" if comment else "")
    body = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    write_private(path, body)
    public = _public(path)
    write_private(public, line.encode() + b"\n")
    os.chmod(public, 0o644)
    return line


def public_line(path: Path) -> str:
    """The line for authorized_keys that belongs to the private key at `path`. Errors as in `read_key`."""
    key = read_key(path)
    return f"{key.get_name()} {key.get_base64()}"


def read_key(path: Path) -> paramiko.PKey:
    """The private key. Unreachable when it is missing, readable by others, locked or no key at all."""
    import paramiko

    # paramiko's own errors quote neither path nor way out, and differ by version and by kind of key
    read_private(path)
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):
        raise Unreachable(f"{path} is locked with a passphrase: cron cannot type it") from None
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError) as err:
        raise Unreachable(f"{path} holds no private key that can be used: {err}") from None


def _public(path: Path) -> Path:
    return path.with_name(path.name + ".pub")
