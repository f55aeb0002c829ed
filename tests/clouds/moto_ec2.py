"""EC2 as moto does not do it: ClientToken, lag, states that take their time, console output, and scripted faults.

ClientToken: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html. The errors' codes
and HTTP status: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from providerscripts.servers.faults import Fault, Faults, Scripted
from tests.clouds.moto_cloud import ACCOUNT, REGION, Answer, Dropped, MotoCloud, VendorClock, error
from tests.clouds.sites import Sites

__all__ = ["MotoEc2", "host_key_of"]

_VERBS = {
    "RunInstances": "create", "TerminateInstances": "delete", "RebootInstances": "reboot", "CreateTags": "label",
    "DeleteTags": "label",
}  # fmt: skip
_NO = {
    Fault.RATE: error(503, "RequestLimitExceeded", "Request limit exceeded."),
    Fault.AUTH: error(403, "UnauthorizedOperation", "You are not authorized to perform this operation."),
    Fault.QUOTA: error(400, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current limit."),
    Fault.SOLD_OUT: error(500, "InsufficientInstanceCapacity", "We currently do not have sufficient capacity."),
}
_STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


def host_key_of(id: str) -> str:
    """The machine's public key, as its console shows it."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + hashlib.sha256(id.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


class MotoEc2:
    """Put around `cloud`. Seconds are of the cloud's clock; `boots` from the launch until it runs."""

    def __init__(self, cloud: MotoCloud, boots: float = 20.0, dies: float = 5.0, sites: Sites | None = None) -> None:
        from moto.ec2.models import ec2_backends

        self.cloud, self.boots, self.dies, self.sites = cloud, boots, dies, sites
        self.backend = ec2_backends[ACCOUNT][REGION]
        self.backend.reservations.clear()
        self.backend.volumes.clear()
        self.backend.addresses.clear()
        self.faults = Faults()
        self.drops = False  # a lost answer is a broken connection, else a 503
        self.lag = 0.0  # a new one is not shown this long
        self.limit: int | None = None
        self.console_after = 0.0  # seconds it runs before its console shows anything
        self.posts: list[dict[str, str]] = []  # every RunInstances that came in, a dry run too
        self.asked: Counter[str] = Counter()  # by action
        self.intercept: Callable[[str, dict[str, str]], Answer | None] = lambda action, words: None
        self._tokens: dict[str, tuple[str, Answer, str]] = {}
        self._fate: dict[str, Fault] = {}
        self._born: dict[str, float] = {}
        self.ended: dict[str, float] = {}  # id -> when its end was asked for, by the cloud's clock
        self._later: list[tuple[float, Callable[[], Any]]] = []
        self._fault: Fault | None = None
        self.backend.run_instances = self._launched
        cloud.manners["ec2"] = self._answer

    # --- the truth ---

    def instances(self) -> list[Any]:
        """Every one that ever was, as moto has it, in its present state."""
        self._time_passes()
        return [each for reservation in self.backend.reservations.values() for each in reservation.instances]

    def truth(self) -> set[str]:
        return {each.id for each in self.instances() if each.state != "terminated"}

    def made(self) -> int:
        return len(self.instances())

    def named(self, name: str) -> list[Any]:
        return [i for i in self.instances() if any(t["key"] == "Name" and t["value"] == name for t in i.get_tags())]

    def say(self, id: str, word: str) -> None:
        """Let it be told in this word from now on."""
        [each] = [each for each in self.instances() if each.id == id]
        each._state.name = word

    def wait(self, seconds: float) -> None:
        """The vendor's time passes."""
        assert isinstance(self.cloud.clock, VendorClock)
        self.cloud.clock.pass_by(seconds)
        self._time_passes()

    # --- time ---

    def _time_passes(self) -> None:
        now = self.cloud.clock.monotonic()
        due = [each for each in self._later if each[0] <= now]
        self._later = [each for each in self._later if each[0] > now]
        for _, deed in due:
            deed()
        for reservation in self.backend.reservations.values():
            for each in reservation.instances:
                self._ages(each, now)

    def _ages(self, each: Any, now: float) -> None:
        fate = self._fate.get(each.id)
        if each.state == "pending" and now >= self._born[each.id] + self.boots and fate is not Fault.NEVER_BOOTS:
            if fate is Fault.FAILS_LATE:
                each.terminate()
                each.state_reason.code = "Server.InternalError"
                each.state_reason.message = "Server.InternalError: Internal error on launch"
                self._born[each.id] = now
                return
            _into(each, "running")
            if self.sites is not None and fate is not Fault.NEVER_ONLINE:
                self.sites.open(each.private_ip_address)
        dying = each.state == "shutting-down" and fate is not Fault.STUCK_DELETING
        if dying and now >= self.ended[each.id] + self.dies:
            each.terminate()

    # --- a request ---

    def _answer(self, environ: dict[str, Any], body: bytes, forward: Callable[[], Answer]) -> Answer:
        words = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action = words.get("Action", "")
        self.asked[action] += 1
        if action == "RunInstances":
            self.posts.append(words)
        self._time_passes()
        said = self.intercept(action, words)
        if said is not None:
            return said
        dry = words.get("DryRun") == "true"
        scripted = self.faults.take(self._verb(action, words)) if not dry else None
        fault = scripted.fault if scripted is not None else None
        if fault in _NO:
            return _NO[fault]
        if fault is Fault.LOST_REQUEST:
            return self._lost()
        if fault is Fault.LATE:
            assert isinstance(scripted, Scripted)
            at = self.cloud.clock.monotonic() + scripted.seconds
            self._later.append((at, lambda: self._performed(action, words, forward, None)))
            return self._lost()
        answer = self._performed(action, words, forward, fault)
        if fault is Fault.TWICE:
            answer = self._performed(action, words, forward, None)
        return self._lost() if fault is Fault.LOST_ANSWER else answer

    def _lost(self) -> Answer:
        if self.drops:
            raise Dropped
        return error(503, "Unavailable", "The server is overloaded and can't handle the request.")

    @staticmethod
    def _verb(action: str, words: dict[str, str]) -> str:
        if action == "DescribeInstances":
            return "get" if "InstanceId.1" in words else "list"
        return _VERBS.get(action, action)

    def _performed(
        self, action: str, words: dict[str, str], forward: Callable[[], Answer], fault: Fault | None
    ) -> Answer:
        ids = [v for k, v in words.items() if k.startswith(("InstanceId", "ResourceId"))]
        known = {each.id: each for r in self.backend.reservations.values() for each in r.instances}
        hidden = [i for i in known if self.cloud.clock.monotonic() < self._born.get(i, 0.0) + self.lag]
        for id in ids:
            if not id.startswith(("i-", "vol-", "eip")):
                return error(400, "InvalidInstanceID.Malformed", f'Invalid id: "{id}"')
            if id.startswith("i-") and (id not in known or id in hidden):
                return error(400, "InvalidInstanceID.NotFound", f"The instance ID '{id}' does not exist")
        if action == "RunInstances" and words.get("DryRun") != "true":
            return self._run(words, forward, fault)
        if action == "TerminateInstances":
            for id in ids:
                self._ends(known[id], fault)
            return _terminating(ids)
        if action == "GetConsoleOutput":
            return self._console(known[ids[0]])
        if action == "DescribeInstances" and hidden:
            kept = self.backend.reservations.copy()
            for key in [k for k, r in kept.items() if r.instances[0].id in hidden]:
                del self.backend.reservations[key]
            try:
                return forward()
            finally:
                self.backend.reservations.clear()
                self.backend.reservations.update(kept)
        return forward()

    def _run(self, words: dict[str, str], forward: Callable[[], Answer], fault: Fault | None) -> Answer:
        token = words.get("ClientToken", "")
        asked = json.dumps(sorted(words.items()))
        if token in self._tokens:
            id, answer, before = self._tokens[token]
            if before != asked:
                return error(400, "IdempotentParameterMismatch", "Arguments on this idempotent request differ")
            if id not in self.truth():
                return error(400, "IdempotentInstanceTerminated", "The instance of this client token has terminated")
            return answer
        if self.limit is not None and len(self.truth()) >= self.limit:
            return _NO[Fault.QUOTA]
        self._fault, kept = fault, set(self.backend.reservations)
        answer = forward()
        new = set(self.backend.reservations) - kept
        if answer.status != 200:
            for key in new:
                del self.backend.reservations[key]  # moto keeps an empty one
        elif token:
            [key] = new
            self._tokens[token] = self.backend.reservations[key].instances[0].id, answer, asked
        return answer

    def _launched(self, *args: Any, **more: Any) -> Any:
        """In place of the backend's own: it is pending, at the cloud's time, with an address of `sites`."""
        reservation = type(self.backend).run_instances(self.backend, *args, **more)
        [made] = reservation.instances
        self._born[made.id] = self.cloud.clock.monotonic()
        made.launch_time = datetime.fromtimestamp(self.cloud.clock.now(), UTC)
        _into(made, "pending")
        if self._fault is not None:
            self._fate[made.id] = self._fault
        if self.sites is not None:
            made.nics[0].private_ip_address = made.nics[0].public_ip = self.sites.lease()
        return reservation

    def _ends(self, each: Any, fault: Fault | None) -> None:
        if each.state == "terminated":
            return
        self._fate.pop(each.id, None)
        if fault is not None:
            self._fate[each.id] = fault
        if self.sites is not None:
            self.sites.close(each.private_ip_address)
        _into(each, "shutting-down")
        self.ended[each.id] = self.cloud.clock.monotonic()

    def _console(self, each: Any) -> Answer:
        text = "[    0.000000] Linux version 6.1.0\r\n"
        if each.state == "running" and self.cloud.clock.monotonic() >= (
            self._born[each.id] + self.boots + self.console_after
        ):
            text += (
                "ci-info: no authorized SSH keys fingerprints found for user admin.\r\n"
                "-----BEGIN SSH HOST KEY FINGERPRINTS-----\r\n256 SHA256:abc root@ip (ED25519)\r\n"
                "-----END SSH HOST KEY FINGERPRINTS-----\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n"
                f"{host_key_of(each.id)} root@ip-10-0-0-1\r\n-----END SSH HOST KEY KEYS-----\r\n"
            )
        output = base64.b64encode(text.encode()).decode()
        return Answer(
            200,
            f"<?xml version='1.0'?><GetConsoleOutputResponse><instanceId>{each.id}</instanceId>"
            f"<timestamp>2026-11-23T09:00:00.000Z</timestamp><output>{output}</output>"
            "</GetConsoleOutputResponse>".encode(),
        )


def _into(each: Any, state: str) -> None:
    each._state.name, each._state.code = state, _STATES[state]


def _terminating(ids: list[str]) -> Answer:
    rows = "".join(
        f"<item><instanceId>{id}</instanceId><currentState><code>32</code><name>shutting-down</name></currentState>"
        "<previousState><code>16</code><name>running</name></previousState></item>"
        for id in ids
    )
    text = f"<?xml version='1.0'?><TerminateInstancesResponse><instancesSet>{rows}</instancesSet>"
    return Answer(200, f"{text}</TerminateInstancesResponse>".encode())
