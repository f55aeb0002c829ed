"""What anybody would write first: paramiko.SSHClient, connect and `true`, 32 at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

USER, PORT = "probe", 2222


def visit(host: str, key: str) -> None:
    """Connect, run `true`, close. RuntimeError when it does not end with 0."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    try:
        client.connect(host, port=PORT, username=USER, key_filename=key, timeout=30)
        _, out, _ = client.exec_command("true", timeout=30)
        out.read()
        if out.channel.recv_exit_status():
            raise RuntimeError(f"{host}: true failed")
    finally:
        client.close()


def visit_again(host: str, key: str) -> None:
    """Once more where the connection broke without a word, as it does now and then."""
    try:
        visit(host, key)
    except (EOFError, paramiko.SSHException):
        visit(host, key)


if __name__ == "__main__":
    hosts, key = Path(sys.argv[1]).read_text().split(), sys.argv[2]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda host: visit_again(host, key), hosts))
