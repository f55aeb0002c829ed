"""The ssh line: what a person pastes to look at a webserver himself, with the same key and the same pin."""

from __future__ import annotations

import shlex

from autoscaler.ports import Target
from autoscaler.rung import Ssh

__all__ = ["ssh_line"]


def ssh_line(target: Target, ssh: Ssh | None) -> str:
    """`ssh ...` as a shell takes it. A pinned host key is the only one it accepts; without one ssh asks."""
    words = ["ssh"]
    if ssh is not None and ssh.key:
        words += ["-i", ssh.key, "-o", "IdentitiesOnly=yes"]
    if target.ssh_port != 22:
        words += ["-p", str(target.ssh_port)]
    if target.pin:
        words += [
            "-o", "StrictHostKeyChecking=yes",
            "-o", "UserKnownHostsFile=/dev/null",
            "-o", f"KnownHostsCommand=/bin/echo %H {target.pin}",  # OpenSSH 8.5
        ]  # fmt: skip
    user = f"{ssh.user}@" if ssh is not None else ""
    return shlex.join([*words, f"{user}{target.address}"])
