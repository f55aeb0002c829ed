"""The commands of the peers, each in its best honest shape: sshd takes no key exchange but
curve25519, and each checks the host key."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from tests.bench.parts.measure import version
from tests.bench.parts.target import USER, Site

__all__ = ["clush", "clush_named", "ours", "plain_paramiko"]

_HERE = Path(__file__).resolve().parent


def clush(site: Site, count: int) -> list[str] | None:
    """ClusterShell with 64 at once; None where it is not installed."""
    if importlib.util.find_spec("ClusterShell") is None:
        return None
    begin = "import sys; from ClusterShell.CLI.Clush import main; sys.argv[0] = 'clush'; sys.exit(main())"
    options = ["-q", "-f", "64", "--hostfile", str(site.hosts(count)), "-l", USER, "-o", site.ssh_options()]
    return [sys.executable, "-c", begin, *options, "true"]


def clush_named() -> str:
    """What it is called in the report."""
    return f"clush -f64 ({version('ClusterShell')}), curve25519, running `true`"


def plain_paramiko(site: Site, count: int) -> list[str]:
    """paramiko.SSHClient as its documentation shows it, 32 threads, with the host key it has to meet."""
    return [sys.executable, str(_HERE / "plain.py"), str(site.hosts(count)), str(site.key), site.pin]


def ours(site: Site, what: str, count: int, *more: str) -> list[str]:
    """Our own process: `ladder` or `round`."""
    return [sys.executable, str(_HERE / "ours.py"), what, str(count), str(site.key), site.pin, *more]
