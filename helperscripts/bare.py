"""A bare address: a webserver that no record knows, probed by what the command line says of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from autoscaler.deployment import Adapter, Deployment
from autoscaler.rung import Http, Ladder, Ssh
from autoscaler.webserver import Record, State
from helperscripts.wiring import clock
from utilities.errors import AskerErred

__all__ = ["bare_deployment", "bare_record"]

_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*|[0-9a-fA-F:]+")


def bare_deployment(
    address: str, url: str | None, user: str | None, key: str | None, ssh_port: int, trouble: str = ""
) -> Deployment:
    """A Deployment whose ladder asks what the command line says. AskerErred when it cannot be one."""
    if not _ADDRESS.fullmatch(address) or address.startswith("ws-"):
        why = f" (the fleet's records: {trouble})" if trouble else ": no record of this name, and no address"
        raise AskerErred(f"{address!r} is no webserver we know{why}")
    parts = _split(url, address)
    http = Http(
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        host=parts.hostname if parts.hostname and parts.hostname != address else "",
        tls="verified" if parts.scheme == "https" else "off",
    )
    ssh = Ssh(user or "root", ssh_port, str(Path(key).expanduser()) if key else "") if user or key else None
    return replace(Deployment("bare", Adapter("")), port=_port(url, address), ladder=Ladder(http=http, ssh=ssh))


def bare_record(address: str, url: str | None, ssh_port: int, host_key: str | None) -> Record:
    """A Record of it. The pin is `host_key`, else what the user's own known_hosts holds for it, else none."""
    from security.pins import Pin

    if host_key is not None:
        try:
            host_key = str(Pin.parse(host_key))
        except ValueError as err:
            raise AskerErred(f"--host-key: {err}") from None
    now = clock().now()
    return Record(
        address, State.UP, now, now, address=address, port=_port(url, address), ssh_port=ssh_port,
        pin=host_key or _known(address, ssh_port),
    )


def _port(url: str | None, address: str) -> int:
    parts = _split(url, address)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _split(url: str | None, address: str) -> SplitResult:
    text = url or (f"http://[{address}]/" if ":" in address else f"http://{address}/")
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise AskerErred(f"--url {text}: write http://HOST:PORT/PATH or https://HOST/PATH")


def _known(address: str, port: int) -> str | None:
    """What the user's known_hosts says, hashed lines too; ssh-keygen knows how to read them."""
    where = address if port == 22 else f"[{address}]:{port}"
    try:
        found = subprocess.run(
            ["ssh-keygen", "-F", where], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    keys = [line.split()[-2:] for line in found.stdout.splitlines() if line and not line.startswith(("#", "@"))]
    best = sorted((k for k in keys if len(k) == 2), key=lambda k: k[0] != "ssh-ed25519")
    return " ".join(best[0]) if best else None
