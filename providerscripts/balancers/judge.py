"""The `haproxy` program itself: may this file be loaded, and load it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from autoscaler.ports import BalancerUnreachable, Refused

__all__ = ["Judge"]

_PATH = os.pathsep.join((os.defpath, "/usr/local/sbin", "/usr/sbin", "/sbin"))  # cron's PATH lacks every sbin
_PATIENCE = 60.0


class Judge:
    """`verify`: True runs `haproxy -c -f FILE`, a list runs that with `{file}` replaced, False trusts."""

    def __init__(self, verify: bool | Sequence[str], reload: Sequence[str]) -> None:
        self._verify = ["haproxy", "-c", "-f", "{file}"] if verify is True else list(verify or ())
        self._reload = list(reload)

    def judge(self, path: Path) -> None:
        """Refused, with HAProxy's own words, when it would not load the file."""
        if not self._verify:
            return
        argv = [word.replace("{file}", str(path)) for word in self._verify]
        status, said = _run(argv, "; where HAProxy runs on another machine, write `verify: false`")
        if status != 0:
            raise Refused(f"the new file would not be loaded, the old one stays; HAProxy says: {said}")

    def reload(self) -> None:
        """BalancerUnreachable when the command fails."""
        status, said = _run(self._reload, "")
        if status != 0:
            raise BalancerUnreachable(f"`{' '.join(self._reload)}` ended with {status}: {said}")


def _run(argv: Sequence[str], way_out: str) -> tuple[int, str]:
    program = shutil.which(argv[0]) or shutil.which(argv[0], path=_PATH)
    if program is None:
        raise Refused(f"there is no program {argv[0]!r} on this machine{way_out}")
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise BalancerUnreachable(f"{argv[0]}: {err}") from None
    return done.returncode, " / ".join(done.stdout.decode("utf-8", "replace").split("\n")).strip(" /")
