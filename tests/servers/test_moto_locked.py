"""The S3 server of the demo and of the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helperscripts.demo.s3_server import s3_server
from utilities.errors import AskerErred, Unreachable

ROOT = Path(__file__).resolve().parents[2]


def gone(pid: int) -> bool:
    """Not running any more; a zombie whose parent has not looked yet counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_ends_with_whoever_started_it() -> None:
    script = (
        "import os, sys, time\nfrom helperscripts.demo.s3_server import s3_server\n"
        "with s3_server():\n"
        "    print(open(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    server = int(starter.stdout.readline())
    assert not gone(server)
    os.kill(starter.pid, signal.SIGKILL)
    starter.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while not gone(server):
        assert time.monotonic() < deadline, "the server outlives its starter"
        time.sleep(0.05)


def test_without_moto_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text("raise ModuleNotFoundError('No module named moto')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AskerErred, match="pip install 'moto"), s3_server():
        pass
    (tmp_path / "moto" / "__init__.py").write_text("raise RuntimeError('broken installation')\n")
    with pytest.raises(Unreachable, match="broken installation"), s3_server():
        pass


def test_a_bucket_it_does_not_take() -> None:
    with s3_server() as server:
        with pytest.raises(Unreachable, match="made no bucket x: HTTP 400"):
            server.make_bucket("x")
    with pytest.raises(Unreachable, match="cannot be asked"):
        server.make_bucket("fleet")
