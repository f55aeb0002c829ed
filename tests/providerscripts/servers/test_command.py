"""The command provider: the contract with real processes, and what its protocol says of everything else."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, ServerState
from providerscripts.servers import command as adapter
from providerscripts.servers import processes
from providerscripts.servers.command import CommandProvider
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.providerscripts.servers.contract import ProviderContract, World
from tests.providerscripts.servers.unruly import set_state
from utilities.clock import SystemClock
from utilities.errors import DocumentFault

CHECKOUT = Path(__file__).resolve().parents[3]
VENDOR = CHECKOUT / "examples" / "command" / "vendor.py"
UNRULY = Path(__file__).with_name("unruly.py")
VERBS = ("create", "list", "delete", "get", "reboot", "label")


def opened(argv: list[str], pool: str = "web", verbs: tuple[str, ...] = VERBS, **settings: object) -> CommandProvider:
    """With the same argv for each of the verbs."""
    given = {**dict.fromkeys(verbs, argv), **settings}
    return adapter.open_provider(pool, given, Site(SystemClock()))


def order(**changes: Any) -> Order:
    name = "ws-web-1-0001"
    return Order(**{"name": name, "pool": "web", "token": name, "image": "debian-12", **changes})


def program(folder: Path, body: str) -> str:
    """A shell script with this body."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        folder = tmp_path / "machines"
        folder.mkdir()
        argv = [sys.executable, str(UNRULY), str(VENDOR), str(folder)]
        provider = opened(argv, timeout=20, tail=0.2, listing_lag=0)

        def script(verb: str, fault: Fault, seconds: float) -> None:
            file = folder / ".faults"
            queue = json.loads(file.read_text()) if file.exists() else []
            file.write_text(json.dumps([*queue, (verb, fault.value, min(seconds, 0.2))]))

        def lines(name: str) -> list[str]:
            return (folder / name).read_text().split() if (folder / name).exists() else []

        def wait(seconds: float) -> None:
            time.sleep(min(seconds, 0.02))
            begun = time.monotonic()
            while late(folder) and time.monotonic() - begun < 60:  # what takes effect late has done so
                time.sleep(0.02)

        return World(
            provider=provider,
            another=lambda pool: opened(argv, pool),
            script=script,
            truth=lambda: {file.stem for file in folder.glob("[0-9a-f]*.json")},
            made=lambda: len(list(folder.glob("[0-9a-f]*.json"))) if late(folder) else len(made(folder, lines)),
            wait=wait,
            quota=lambda most: (folder / ".quota").write_text(str(most)) and None,
            ordered={"image": "debian-12", "user_data": "#!/bin/sh\nPASSWORD=swordfish\n"},
            secrets=("swordfish",),
            posts=lambda: lines(".asked").count("create"),
            word=lambda id, state: set_state(folder, id, state),
        )


def made(folder: Path, lines: Callable[[str], list[str]]) -> list[str]:
    """What was ever made: those that a program told of, or that came late."""
    return max(lines(".made"), [file.stem for file in folder.glob("[0-9a-f]*.json")], key=len)


def late(folder: Path) -> list[int]:
    """Processes of this vendor that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line and entry.parent.name != str(os.getpid()):
            found.append(int(entry.parent.name))
    return found


# --- the example as it is ---


def test_the_example_is_a_vendor(tmp_path: Path) -> None:
    provider = opened([str(VENDOR), str(tmp_path / "machines")])
    first = provider.create(order())
    assert provider.list() == (first,)
    assert provider.get(first.id) == first
    provider.label(first.id, None)
    assert provider.list() == ()
    [seen] = provider.list(everything=True)
    assert (seen.id, seen.pool) == (first.id, None)
    provider.reboot(first.id)
    provider.delete(first.id)
    provider.delete(first.id)
    assert provider.get(first.id) is None
    with pytest.raises(Refused, match="an image is needed") as refused:
        provider.create(order(image=""))
    assert refused.value.kind == "invalid"


def test_without_get_the_listing_answers_and_without_others_it_says_no(tmp_path: Path) -> None:
    provider = opened([str(VENDOR), str(tmp_path / "machines")], verbs=("create", "list", "delete"))
    made = provider.create(order())
    assert provider.get(made.id) == made
    assert provider.get("0" * 32) is None
    with pytest.raises(Refused, match="names no command to reboot"):
        provider.reboot(made.id)
    with pytest.raises(Refused, match="names no command to label"):
        provider.label(made.id, None)


# --- what it is told ---


def test_the_order_comes_on_stdin_and_by_placeholders_and_never_through_a_shell(tmp_path: Path) -> None:
    body = f'cat >{tmp_path}/order; printf "%s\\n" "$@" >{tmp_path}/argv; echo $SECRET >{tmp_path}/env; exit 13'
    argv = [program(tmp_path, body), "--name={name}", "{image}", "{size}", "x{region}{pool}"]
    provider = opened(argv, verbs=("create", "list", "delete"), list=["true"], delete=["true"])
    os.environ["SECRET"] = "from the environment"
    wild = "$(touch /tmp/no); `id` {name} \"'"
    try:
        with pytest.raises(Refused):
            provider.create(order(image=wild, user_data="#!/bin/sh\necho 'hello'\n", options={"disk": 20}))
    finally:
        del os.environ["SECRET"]
    assert (tmp_path / "argv").read_text().splitlines() == ["--name=ws-web-1-0001", wild, "", "xweb"]
    assert (tmp_path / "env").read_text() == "from the environment\n"
    assert json.loads((tmp_path / "order").read_text()) == {
        "format": 1, "verb": "create", "pool": "web", "name": "ws-web-1-0001", "token": "ws-web-1-0001",
        "image": wild, "size": "", "region": "", "user_data": "#!/bin/sh\necho 'hello'\n", "options": {"disk": 20},
    }  # fmt: skip


# --- what it may answer ---

GOOD = {"id": "i-1", "name": "ws-web-1-0001", "state": "running", "pool": "web"}
NO_POOL = {"id": "i-1", "name": "ws-web-1-0001", "state": "running"}


def answering(folder: Path, said: str, code: int = 0, **settings: object) -> CommandProvider:
    """Its program says this, whatever it is asked."""
    (folder / "said").write_text(said)
    return opened([program(folder, f"cat >/dev/null; cat {folder}/said; exit {code}")], **settings)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "expected"),
        ("[]", "no JSON object"),
        ("{}", "expected"),
        ("null", "no JSON object"),
        ('{"servers": [', "no JSON object"),
        ('{"servers": null}', "expected"),
        ('{"servers": [], "next": 2}', "expected"),
        ('{"servers": []}\n{"servers": []}', "no JSON object"),
        ('{"error": "rate", "message": "slower"}', "slower"),
        (
            json.dumps({"servers": [{k: v for k, v in GOOD.items() if k != "pool"}]}),
            r"servers\[0\]: 'pool' is missing",
        ),
        (json.dumps({"servers": [GOOD, GOOD]}), "i-1 is there twice"),
        (json.dumps({"servers": [{**GOOD, "id": 7}]}), "id: expected text, found 7"),
        (json.dumps({"servers": [{**GOOD, "id": "-rf"}]}), "is no id"),
        (json.dumps({"servers": [{**GOOD, "address": "a.example"}]}), "address: expected an IP address, found"),
        (json.dumps({"servers": [{**GOOD, "address": "192.0.2.7/24"}]}), "address: expected an IP address"),
        (json.dumps({"servers": [{**GOOD, "address": "pending"}]}), "address: expected an IP address"),
        (json.dumps({"servers": [{**GOOD, "id": ""}]}), "id: expected text"),
        (json.dumps({"servers": [{**GOOD, "ip": "192.0.2.1"}]}), "unknown key 'ip'"),
        (json.dumps({"servers": [{**GOOD, "port": "80"}]}), "a port from 1 to 65535"),
        (json.dumps({"servers": [{**GOOD, "created": "yesterday"}]}), "an instant such as"),
        (json.dumps({"servers": [{**GOOD, "host_key": "SHA256:abc"}]}), "TYPE BASE64"),
        (json.dumps({"servers": ["i-1"]}), "expected an object"),
    ],
)
def test_a_listing_that_is_not_understood_is_never_an_empty_one(tmp_path: Path, said: str, why: str) -> None:
    provider = answering(tmp_path, said)
    with pytest.raises(ProviderUnreachable, match=why):
        provider.list()
    with pytest.raises(Doubtful):
        provider.create(order())


def test_a_servers_words(tmp_path: Path) -> None:
    more = {"address": "192.0.2.7", "port": 8080, "ssh_port": 2222, "created": "2026-11-22T07:30:00Z",
            "host_key": "ssh-ed25519 AAAA", "size": "small", "region": "here"}  # fmt: skip
    whole = {**GOOD, **more, "state": "MIGRATING"}
    bare = {**GOOD, "id": "i-2", "pool": None, "address": None}
    provider = answering(tmp_path, json.dumps({"servers": [whole, bare]}))
    [seen] = provider.list()
    assert (seen.state, seen.detail) == (ServerState.UNKNOWN, "MIGRATING")
    assert (seen.address, seen.port, seen.ssh_port) == ("192.0.2.7", 8080, 2222)
    assert (seen.host_key, seen.size, seen.region) == ("ssh-ed25519 AAAA", "small", "here")
    assert seen.created == 1795332600.0
    assert [s.pool for s in provider.list(everything=True)] == ["web", None]


@pytest.mark.parametrize("strange", [{"name": "ws-web-1-0002"}, {"pool": "other"}, {"pool": None}, {"id": None}])
def test_an_answer_to_a_create_that_tells_of_another_is_in_doubt(tmp_path: Path, strange: dict[str, Any]) -> None:
    with pytest.raises(Doubtful):
        answering(tmp_path, json.dumps({"server": {**GOOD, **strange}})).create(order())


def test_a_get_that_tells_of_another_is_no_answer(tmp_path: Path) -> None:
    provider = answering(tmp_path, json.dumps({"server": GOOD}))
    assert provider.get("i-1") is not None
    with pytest.raises(ProviderUnreachable, match="it tells of i-1"):
        provider.get("i-2")
    with pytest.raises(ProviderUnreachable):
        answering(tmp_path, '{"server": null}').get("i-1")


def test_a_no_that_tells_a_server_is_a_doubt(tmp_path: Path) -> None:
    provider = answering(tmp_path, json.dumps({"server": {**GOOD, "name": order().name}}), 11)
    with pytest.raises(Doubtful, match="it tells a server all the same"):
        provider.create(order())


def test_a_key_that_is_there_twice_hides_nothing(tmp_path: Path) -> None:
    twice = f'{{"servers": [{json.dumps(GOOD)}], "servers": []}}'
    with pytest.raises(ProviderUnreachable):
        answering(tmp_path, twice, 0).list()


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("", 10, "auth"),
        ("", 11, "quota"),
        ("", 12, "sold out"),
        ("", 13, "rate"),
        ("", 14, "invalid"),
        ("", 16, "invalid"),
        ('{"error": "quota", "message": "ten is all you get"}', 1, "quota"),
        ('{"error": "quota"}', 13, "quota"),
        ("", 15, ProviderUnreachable),
        ('{"error": "unreachable"}', 1, ProviderUnreachable),
        ("", 1, Doubtful),
        ("", 2, Doubtful),
        ("", 127, Doubtful),
        ('{"error": "out of paper"}', 1, Doubtful),
        ('{"error": "out of paper"}', 11, Doubtful),
        ('{"error": "rate"}', 0, Doubtful),
        ('{"error": {}}', 1, Doubtful),
        ("Segmentation fault", 0, Doubtful),
    ],
)
def test_what_an_ending_means_for_a_deed(
    tmp_path: Path, said: str, code: int, expected: str | type[Exception]
) -> None:
    provider = answering(tmp_path, said, code)
    deeds = {"create": lambda: provider.create(order()), "reboot": lambda: provider.reboot("i-1")}
    if (code, said) != (16, ""):
        deeds["delete"] = lambda: provider.delete("i-1")
    for name, deed in deeds.items():
        with pytest.raises(Refused if isinstance(expected, str) else expected) as told:
            deed()
        if isinstance(told.value, Refused):
            assert told.value.kind == expected, name
    for question in (provider.list, lambda: provider.get("i-1")):
        if code != 16:
            with pytest.raises(ProviderUnreachable):
                question()


def test_its_own_words_are_in_the_sentence(tmp_path: Path) -> None:
    argv = [program(tmp_path, "echo first >&2; echo 'no route to vendor.example' >&2; exit 1")]
    with pytest.raises(ProviderUnreachable, match=r"list by .*program: exit code 1: no route to vendor\.example$"):
        opened(argv).list()
    with pytest.raises(ProviderUnreachable, match="killed by signal 9"):
        opened([program(tmp_path, "kill -9 $$")]).list()


def test_a_program_that_is_not_there_never_left(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    for argv in ([str(tmp_path / "none")], [str(plain)], [str(tmp_path)]):
        provider = opened(argv)
        for verb, asked in (("create", (order(),)), ("list", ()), ("delete", ("i-1",))):
            with pytest.raises(ProviderUnreachable, match="cannot be started"):
                getattr(provider, verb)(*asked)


# --- time ---


def test_a_time_out_kills_the_whole_group_and_a_create_is_in_doubt(tmp_path: Path) -> None:
    folder = tmp_path / "machines"
    folder.mkdir()
    argv = [sys.executable, str(UNRULY), str(VENDOR), str(folder)]
    slow = opened(argv, timeout=600)
    (folder / ".faults").write_text(json.dumps([["create", "hangs", 0]]))
    told: list[Exception] = []
    patient = CommandProvider("web", slow.commands, 2.0)

    def create() -> None:
        try:
            patient.create(order())
        except Doubtful as err:
            told.append(err)

    thread = threading.Thread(target=create)
    thread.start()
    thread.join(60)
    [err] = told
    assert "was not done within 2 s and was killed" in str(err)
    deadline = time.monotonic() + 20
    while late(folder):
        assert time.monotonic() < deadline, late(folder)
        time.sleep(0.02)
    (folder / ".faults").write_text(json.dumps([["list", "hangs", 0]]))
    with pytest.raises(ProviderUnreachable, match="was killed"):
        CommandProvider("web", slow.commands, 1.0).list()


def test_what_it_leaves_in_the_background_does_not_hold_the_answer_up(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(json.dumps({"servers": [GOOD]}))
    argv = [program(tmp_path, f"sleep 300 & echo $! >{tmp_path}/pid; cat {tmp_path}/said")]
    begun = time.monotonic()
    assert len(opened(argv, timeout=250).list()) == 1
    assert time.monotonic() - begun < 240
    left = processes.process_of(int((tmp_path / "pid").read_text()))
    assert left is not None, "what a program starts and leaves on purpose stays"
    processes.kill([left])


# --- the Deployment's words ---


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"create": "rent --now"}, "create: expected a list of words"),
        ({"create": ["rent", "{id}"]}, r"create: it has no \{id\}; there are \{name\}, \{pool\}, \{image\}"),
        ({"delete": ["drop", "{name}"]}, r"delete: it has no \{name\}; there are \{id\}, \{pool\}"),
        ({"list": ["{pool}-list"]}, "must not depend on what is asked"),
        ({"delete": None}, "'delete' is missing"),
        ({"timeout": 0}, "longer than 0 s"),
        ({"unique_names": "yes"}, "expected true or false"),
        ({"billing": "week"}, "expected second or hour"),
        ({"destroy": ["x"]}, "unknown option 'destroy'"),
    ],
)
def test_wrong_settings_are_told_at_once(settings: dict[str, object], said: str) -> None:
    good = {"create": ["rent"], "list": ["rent"], "delete": ["rent"]}
    with pytest.raises(DocumentFault, match=said):
        adapter.open_provider("web", {**good, **settings}, Site(SystemClock()))


def test_its_traits_are_the_deployments(tmp_path: Path) -> None:
    provider = opened(["true"], timeout=100, billing="hour", boot_time=30, listing_lag=5, tail=10, host_keys=True)
    traits = provider.traits
    assert (traits.http_timeout, traits.billing, traits.boot_time) == (105.0, "hour", 30.0)
    assert (traits.listing_lag, traits.tail, traits.unique_names, traits.knows_host_key) == (5.0, 10.0, False, True)
    assert opened(["true"], unique_names=True).traits.unique_names
    assert traits.relabels
    assert not opened(["true"], verbs=("create", "list", "delete")).traits.relabels
