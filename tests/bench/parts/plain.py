"""What anybody would write first: paramiko.SSHClient, connect and `true`, 32 at once."""

from __future__ import annotations

import base64
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

USER, PORT = "probe", 2222


def visit(host: str, key: str, pin: str) -> None:
    """Connect, run `true`, close. SSHException for another host key, RuntimeError when `true` does not end with 0."""
    client = paramiko.SSHClient()
    kind, _, encoded = pin.partition(" ")
    client.get_host_keys().add(f"[{host}]:{PORT}", kind, paramiko.Ed25519Key(data=base64.b64decode(encoded)))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        client.connect(host, port=PORT, username=USER, key_filename=key, timeout=30)
        _, out, _ = client.exec_command("true", timeout=30)
        out.read()
        if out.channel.recv_exit_status():
            raise RuntimeError(f"{host}: true failed")
    finally:
        client.close()


def visit_again(host: str, key: str, pin: str) -> None:
    """Once more where the connection broke without a word, as it does now and then."""
    try:
        visit(host, key, pin)
    except (EOFError, paramiko.SSHException):
        visit(host, key, pin)


if __name__ == "__main__":
    hosts, key, pin = Path(sys.argv[1]).read_text().split(), sys.argv[2], sys.argv[3]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda host: visit_again(host, key, pin), hosts))
