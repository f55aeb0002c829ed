"""Visitors judge what they got, and never ask twice."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helperscripts.demo.visitors import read_visits, visit


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "ok"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", 302, "ok"),
        (b"HTTP/1.1 500 No\r\n\r\n", 500, "HTTP 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", 200, "2 of 5 bytes"),
        (b"", None, "an empty answer"),
        (b"nonsense", None, "a broken answer"),
    ],
)
def test_what_a_visitor_makes_of_an_answer(answer: bytes, status: int | None, said: str) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            there, _ = listening.accept()
            with there:
                asked.append(there.recv(65536))
                there.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        seen = visit("127.0.0.1", listening.getsockname()[1], "/")
        thread.join()
    assert (seen.status, seen.said, seen.failed) == (status, said, said != "ok")
    assert len(asked) == 1
    assert read_visits(seen.line())[0].said == said


def test_a_refusal_is_a_failed_visit() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        seen = visit("127.0.0.1", bound.getsockname()[1], "/")
    assert seen.failed
    assert seen.said.startswith("ConnectionRefusedError")


def test_a_half_written_line_is_left_for_later() -> None:
    assert [v.at for v in read_visits("1000 200 3 ok\n2000 200 3 o")] == [1.0]


def test_sigterm_lets_those_under_way_finish(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        crowd = subprocess.Popen(
            [sys.executable, "-m", "helperscripts.demo.visitors", "--url", url, "--rate", "5", "--log", str(log)],
            cwd=Path(__file__).resolve().parents[3],
        )
        try:
            there, _ = listening.accept()
            there.recv(65536)
            crowd.send_signal(signal.SIGTERM)
            time.sleep(0.3)  # a crowd that broke off would do it now
            there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            there.close()
            listening.settimeout(0.5)
            while True:  # whoever came before the signal is answered, too
                try:
                    there, _ = listening.accept()
                except TimeoutError:
                    break
                there.recv(65536)
                there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                there.close()
            assert crowd.wait(30) == 0
        finally:
            crowd.kill()
            crowd.wait()
    visits = read_visits(log.read_text())
    assert visits
    assert not any(v.failed for v in visits)
