"""A small S3 server on loopback, in a process of its own, for the demo and for tests: moto behind one lock.

moto compares and then writes, which two threads can interleave; with one request at a time its conditional
writes are as atomic as a real endpoint's. What it stores is gone with the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from utilities.errors import AskerErred, Unreachable

__all__ = ["S3Server", "s3_server", "serve"]


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and the keys it takes (any would do: it checks none)."""

    endpoint: str
    access_key: str = "demo"
    secret_key: str = "demo-demo"  # noqa: S105 - it opens nothing
    region: str = "us-east-1"

    def make_bucket(self, name: str) -> str:
        """Make it; the URL of a Store in it."""
        import http.client
        from urllib.parse import urlsplit

        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=30)
        try:
            connection.request("PUT", f"/{name}", headers={"Authorization": "AWS demo:unsigned"})
            status = connection.getresponse().status
        except OSError as err:
            raise Unreachable(f"the demo's S3 server at {self.endpoint} cannot be asked: {err}") from err
        finally:
            connection.close()
        if status != 200:
            raise Unreachable(f"the demo's S3 server at {self.endpoint} made no bucket {name}: HTTP {status}")
        return f"s3://{name}?endpoint={self.endpoint}&region={self.region}"


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """The server, on a free port, until the block ends or this process dies, however it dies.

    AskerErred when moto is not installed, Unreachable when it does not start.
    """
    root = str(Path(__file__).resolve().parents[2])  # this checkout's or installation's own modules
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "helperscripts.demo.s3_server"],
        stdin=subprocess.PIPE,  # it ends when this pipe does
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker: all three are pipes
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    said: list[bytes] = []
    listener = threading.Thread(target=_drain, args=(process.stderr, said), daemon=True)
    listener.start()
    try:
        first = process.stdout.readline().decode().strip()
        if not first.startswith("http://"):
            process.stdin.close()
            code = process.wait(30)
            listener.join(5)
            if code == AskerErred.exit_code:
                raise AskerErred("the demo's S3 server needs moto: pip install 'moto[server,s3]'")
            why = b"".join(said)[-500:].decode(errors="replace")
            raise Unreachable(f"the demo's S3 server did not start: {why}")
        yield S3Server(first)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            pipe.close()
        listener.join(5)
        process.stderr.close()


def serve(announce: Callable[[str], None], host: str = "127.0.0.1") -> None:
    """Serve on a free port of `host` for ever, one request at a time. `announce` is told the address."""
    import io
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    lock = threading.Lock()

    def one_at_a_time(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        # Read before locking, or one slow sender would stop all others.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with lock:
            return [b"".join(application(environ, start))]

    class Keeping(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # kept connections: boto3 makes a new one for each request otherwise

    server = make_server(host, 0, one_at_a_time, threaded=True, request_handler=Keeping)
    announce(f"http://{host}:{server.server_port}")
    server.serve_forever()


def _drain(pipe: IO[bytes], said: list[bytes]) -> None:
    for line in pipe:
        said.append(line)
        del said[:-50]


def _until_orphaned() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held in here, would spoil an orderly exit
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_until_orphaned, daemon=True).start()
    try:
        serve(lambda address: (sys.stdout.write(address + "\n"), sys.stdout.flush())[1])
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(AskerErred.exit_code)
