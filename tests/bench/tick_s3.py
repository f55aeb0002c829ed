"""CPU of a cron tick on S3 against a bare boto3 script that makes the same requests.

The fleet is real: three nodes, six webservers of the `local` provider, a bucket on an S3 server of this machine. A
recording proxy stands before it once, for each side, and shows that both make the same requests; then it is taken
away and both are measured in turns. Only the caller's process counts, not the server's.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from helperscripts.demo.s3_server import S3Server, s3_server
from providerscripts.servers.local import LocalProvider
from providerscripts.store.s3 import S3Store
from tests.bench.result import Result, cpu, interleaved, missed, tell

RUNS = 15
REACH = 1.2
NODES, WEBSERVERS = 3, 6
BUCKET = "bench"
NOTE = "click, yaml and our own modules are loaded and run besides boto3, which both load"

DEPLOYMENT = """\
format: 1
pool: web
mode: production
provider: {{name: local, directory: {folder}/fleet, boot_seconds: 0.2, ssh: none, port: 18080}}
nodes: {nodes}
limits: {{min: 1, max: 20}}
port: 18080
balancers: [{{name: hosts, path: {folder}/hosts}}]
"""

BARE = '''\
import json, sys, time

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
etags = {}
for call, key, condition, body in json.load(open(sys.argv[1])):
    if call == "LIST":
        s3.list_objects_v2(Bucket="%s", Prefix=key)
    elif call == "GET":
        try:
            found = s3.get_object(Bucket="%s", Key=key)
            found["Body"].read()
            etags[key] = found["ETag"]
        except ClientError as err:
            if err.response["Error"]["Code"] != "NoSuchKey":
                raise
    elif condition == "If-Match":
        etags[key] = s3.put_object(Bucket="%s", Key=key, Body=body, IfMatch=etags[key])["ETag"]
    elif condition == "If-None-Match":
        s3.put_object(Bucket="%s", Key=f"replayed/{time.time_ns()}", Body=body, IfNoneMatch="*")
    else:
        raise SystemExit(f"{call} is not replayed")
''' % ((BUCKET,) * 4)

Call = tuple[str, str, str, str]


def call_of(method: str, target: str, headers: http.client.HTTPMessage, body: bytes) -> Call:
    """What was asked, in our words: LIST, GET, PUT, DELETE; key or prefix; the condition; the body."""
    parts = urlsplit(target)
    _, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query)
    if "list-type" in query:
        return "LIST", query.get("prefix", [""])[0], "", ""
    condition = next((name for name in ("If-Match", "If-None-Match") if headers.get(name)), "")
    return method, key, condition, body.decode()


@contextmanager
def recorder(server: str) -> Iterator[tuple[str, list[Call]]]:
    """A proxy before the server: its address, and what was asked through it, in order."""
    calls: list[Call] = []
    upstream = urlsplit(server).netloc

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def forward(self) -> None:
            if self.headers.get("Expect") == "100-continue":
                del self.headers["Expect"]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            calls.append(call_of(self.command, self.path, self.headers, body))
            connection = http.client.HTTPConnection(upstream, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_PUT = do_DELETE = do_HEAD = forward

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", calls
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


class Stage:
    """Three nodes on one bucket. Calls the CLI as cron would: a process each."""

    def __init__(self, folder: Path, server: S3Server) -> None:
        self.folder, self.server = folder, server
        self.programs = Path(sys.executable).parent
        url = server.make_bucket(BUCKET)
        self.store = S3Store(
            BUCKET, endpoint=server.endpoint, region=server.region,
            access_key=server.access_key, secret_key=server.secret_key,
        )  # fmt: skip
        self.store.put("deployment.yaml", DEPLOYMENT.format(folder=folder, nodes=NODES).encode())
        self.store.put("scalingprofile/profile.cnf", b"SCALING_MODE=static\nNO_WEBSERVERS=%d\n" % WEBSERVERS)
        for node in range(1, NODES + 1):
            self.settings(node).write_text(f"store: {url}\nnode: {node}\nreboot: []\nstate: {folder}/state-{node}\n")

    def settings(self, node: int) -> Path:
        return self.folder / f"node-{node}.yaml"

    def environment(self, node: int = 1, endpoint: str | None = None) -> dict[str, str]:
        """Credentials as both sides take them. With `endpoint` the server is asked there."""
        env = {
            "HOME": str(self.folder),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "AUTOSCALER_SETTINGS": str(self.settings(node)),
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_DEFAULT_REGION": self.server.region,
            "AWS_ENDPOINT_URL": endpoint or self.server.endpoint,
        }
        if endpoint:
            env["AUTOSCALER_STORE"] = f"s3://{BUCKET}?endpoint={endpoint}&region={self.server.region}"
        return env

    def run(self, *argv: str, node: int = 1, endpoint: str | None = None) -> None:
        done = subprocess.run(
            argv, env=self.environment(node, endpoint), capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")

    def record(self, *argv: str) -> list[Call]:
        """What this call asks of the Store. It is made twice before: once to find the verdict, once to settle."""
        with recorder(self.server.endpoint) as (endpoint, calls):
            for _ in range(3):
                calls.clear()
                self.reset()
                self.run(*argv, endpoint=endpoint)
            return list(calls)

    def close(self) -> None:
        """The webservers are processes that outlive whoever made them."""
        fleet = LocalProvider(self.folder / "fleet", "web")
        for server in fleet.list():
            fleet.delete(server.id)

    def reset(self) -> None:
        """The wish as it was, so that each daily event finds the same."""
        self.store.put("scalingprofile/profile.cnf", b"SCALING_MODE=static\nNO_WEBSERVERS=%d\n" % WEBSERVERS)


def asked(calls: list[Call]) -> list[tuple[str, str, str]]:
    """What has to be equal on both sides. An object that is made is another each time."""
    return [(call, "" if condition == "If-None-Match" else key, condition) for call, key, condition, _ in calls]


def measured(stage: Stage, argv: list[str], what: str) -> None:
    """Print the requests, then the ratio."""
    ours = stage.record(*argv)
    bare, script = stage.folder / "bare.py", stage.folder / "calls.json"
    bare.write_text(BARE)
    script.write_text(json.dumps(ours))
    peer = [sys.executable, str(bare), str(script)]
    theirs = stage.record(*peer)
    if asked(theirs) != asked(ours):
        raise SystemExit(f"the peer asked otherwise: {asked(theirs)}, we {asked(ours)}")
    print(f"{what} asks:", *(f"  {call} {key} {condition}".rstrip() for call, key, condition, _ in ours), sep="\n")

    def once(argv: list[str]) -> float:
        stage.reset()
        return cpu(argv, stage.environment())

    mine, bare_cpu = interleaved(RUNS, lambda: once(argv), lambda: once(peer))
    ratio = mine / bare_cpu
    requests = f"{len(ours)} requests, {sum(call == 'LIST' for call, *_ in ours)} of them a listing"
    tell(
        Result(
            what,
            f"CPU <= {REACH} of a bare boto3 script with the same requests",
            f"{ratio:.2f} ({mine * 1000:.0f} ms to {bare_cpu * 1000:.0f} ms; {requests})",
            round(ratio, 3),
            ratio <= REACH,
            "boto3.client('s3') and the same calls, nothing else",
            missed(ratio / REACH - 1, NOTE),
        )
    )


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory(prefix="autoscaler-bench-") as temp, s3_server() as server:
        stage = Stage(Path(temp), server)
        try:
            for _ in range(2):
                for node in range(1, NODES + 1):
                    stage.run("autoscaler", "cycle", "--cron", node=node)
            measured(stage, ["autoscaler", "cycle", "--cron"], "an idle `cycle` on S3")
            measured(stage, ["daily-scaleup", f"{WEBSERVERS + 2}"], "`daily-scaleup` on S3")
        finally:
            stage.close()


if __name__ == "__main__":
    main()
