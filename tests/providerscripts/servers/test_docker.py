"""The docker provider, with a real engine: the contract, and what an engine has of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, ServerState
from providerscripts import catalogue
from providerscripts.servers import docker as adapter
from providerscripts.servers.docker import DockerProvider
from providerscripts.servers.docker_container import PUBLISH, SSH_PORT, WEB_PORT, recorded_ports
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from security.keys import make_pair
from tests.lab.engine import IMAGE, Outside, image
from tests.lab.engine_relay import Relay
from tests.providerscripts.servers.contract import CannotShow, ProviderContract, World
from utilities.clock import SystemClock
from utilities.errors import DocumentFault

pytestmark = [
    pytest.mark.root,
    pytest.mark.debian("dockerd", "sshd", "ssh-keygen", "nginx", "iptables"),
    pytest.mark.lab("engine"),
]

KEYED = "autoscaler-lab:keyed"  # has its host key before it runs
SITE = Site(SystemClock())


@pytest.fixture(scope="module")
def engine() -> Iterator[Outside]:
    folder = Path(tempfile.mkdtemp(prefix="dock-"))  # short: a socket's path has at most 108 characters
    try:
        with Outside(folder) as found:
            make_pair(folder / "key", "host")
            asked(found).import_image_from_data(image(key=folder / "key"), *KEYED.split(":"), changes='CMD ["/init"]')
            yield found
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def relay(engine: Outside) -> Iterator[Relay]:
    """In front of an engine without containers."""
    folder = Path(tempfile.mkdtemp(prefix="dock-"))
    found = Relay(engine.url, folder / "r.sock")
    yield found
    found.settle()
    found.away()
    shutil.rmtree(folder)
    client = asked(engine)
    for container in client.containers(all=True):
        client.remove_container(container["Id"], force=True, v=True)
    for volume in client.volumes()["Volumes"] or ():
        client.remove_volume(volume["Name"])


def asked(engine: Outside) -> Any:
    """The SDK's client, past the relay."""
    import docker

    return docker.APIClient(base_url=engine.url)


def opened(host: str, pool: str = "web", site: Site = SITE, **settings: object) -> DockerProvider:
    """As the product opens it."""
    return adapter.open_provider(pool, {"host": host, **settings}, site)


def order(serial: int = 1, image: str = IMAGE, **options: object) -> Order:
    """A good order."""
    name = f"ws-web-1-{serial:04d}"
    return Order(name=name, pool="web", token=name, image=image, options=options)


def until(provider: DockerProvider, id: str, state: ServerState) -> Server:
    """The container once it is in this state."""
    deadline = time.monotonic() + 60
    while (found := provider.get(id)) is None or found.state is not state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


class ToAndFro:
    """A provider whose engine comes back after the call that did not find it."""

    def __init__(self, provider: DockerProvider, relay: Relay) -> None:
        self._provider, self._relay = provider, relay

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._provider, name)
        if not callable(value):
            return value

        def called(*args: Any, **named: Any) -> Any:
            try:
                return value(*args, **named)
            finally:
                self._relay.listen()

        return called


class TestContract(ProviderContract):
    # A container's labels are made with it: what the provider says instead stands below.
    test_a_label_goes_on_and_off = None  # type: ignore[assignment]

    @pytest.fixture
    def world(self, engine: Outside, relay: Relay) -> World:
        client, began = asked(engine), time.time()
        provider = opened(relay.url)
        provider.traits = replace(provider.traits, http_timeout=0.2, tail=0.3, listing_lag=0.1)

        def script(verb: str, fault: Fault, seconds: float) -> None:
            if fault in (Fault.QUOTA, Fault.SOLD_OUT):
                raise CannotShow("an engine rents nothing out")
            if fault in (Fault.FAILS_LATE, Fault.STUCK_DELETING):
                raise CannotShow("no engine can be made to show a `dead` or a `removing` container")
            if fault is Fault.UNREACHABLE:
                provider.list()  # so that the next request is the very one
                relay.away()
            else:
                relay.faults.next("start" if fault is Fault.NEVER_BOOTS else verb, fault, min(seconds, 0.3))

        def made() -> int:
            events = client.events(since=f"{began:.9f}", until=f"{time.time():.9f}", decode=True, filters=BORN)
            return sum(1 for _ in events)

        def wait(seconds: float) -> None:
            relay.settle()
            time.sleep(min(seconds, 0.1))  # an engine lists at once what it has

        return World(
            provider=ToAndFro(provider, relay),  # type: ignore[arg-type]
            another=lambda pool: opened(relay.url, pool),
            script=script,
            truth=lambda: {container["Id"] for container in client.containers(all=True)},
            made=made,
            wait=wait,
            ordered={"image": KEYED, "options": {"environment": {"PASSWORD": "swordfish"}}},
            secrets=("swordfish",),
            posts=lambda: relay.passed.count("create"),
        )


BORN = {"type": "container", "event": "create"}


def test_the_listing_shows_our_pool_and_everything_the_engine(engine: Outside, relay: Relay) -> None:
    provider, other = opened(relay.url), opened(relay.url, "other")
    mine = provider.create(order())
    theirs = other.create(Order(name="ws-other-1-0001", pool="other", token="x", image=IMAGE))
    stray = asked(engine).create_container(IMAGE, name="stray")["Id"]
    assert {s.id for s in provider.list()} == {mine.id}
    assert {(s.id, s.pool) for s in provider.list(everything=True)} == {
        (mine.id, "web"),
        (theirs.id, "other"),
        (stray, None),
    }


def test_a_name_or_a_part_of_an_id_is_no_id(relay: Relay) -> None:
    """The engine would take all three."""
    provider = opened(relay.url)
    made = provider.create(order())
    for word in (made.name, made.id[:12], f"/{made.name}"):
        provider.delete(word)
        assert provider.get(word) is None
        with pytest.raises(Refused):
            provider.reboot(word)
    assert [s.id for s in provider.list()] == [made.id]


def test_labels_cannot_be_changed_and_it_says_so(relay: Relay) -> None:
    provider = opened(relay.url)
    made = provider.create(order())
    provider.label(made.id, "web")  # it is so already
    for pool in (None, "other"):
        with pytest.raises(Refused, match="cannot change the labels of a container"):
            provider.label(made.id, pool)
    assert [s.pool for s in provider.list()] == ["web"]


# --- what an order may say ---


def test_what_an_order_says_is_what_the_engine_has(engine: Outside, relay: Relay) -> None:
    provider = opened(relay.url)
    asked(engine).create_network("fleet")
    options = {
        "cpus": 0.5, "memory": "64m", "labels": {"team": "shop"}, "environment": {"STAGE": "live"},
        "command": ["/init", "x"], "restart": "no", "network": "fleet", "web_port": 8080,
    }  # fmt: skip
    try:
        made = provider.create(order(**options))
        seen = asked(engine).inspect_container(made.id)
        running = until(provider, made.id, ServerState.RUNNING)
        asked(engine).remove_container(made.id, force=True)
    finally:
        asked(engine).remove_network("fleet")
    assert seen["HostConfig"]["NanoCpus"] == 500_000_000
    assert seen["HostConfig"]["Memory"] == 64 << 20
    assert seen["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert seen["Config"]["Labels"]["team"] == "shop"
    assert "STAGE=live" in seen["Config"]["Env"]
    assert seen["Config"]["Cmd"] == ["/init", "x"]
    assert seen["Config"]["Hostname"] == made.name
    assert (made.port, running.port, running.ssh_port) == (8080, 8080, None)
    assert running.address == seen["NetworkSettings"]["Networks"]["fleet"]["IPAddress"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": "small"}, "docker has no sizes"),
        ({"region": "here"}, "docker has no regions"),
        ({"user_data": "#!/bin/sh"}, "nothing in a container reads it"),
        ({"image": ""}, "`image` is missing"),
        ({"name": "W"}, "no name for a container"),
        ({"options": {"ssh_keys": ["a"]}}, "unknown option 'ssh_keys'"),
        ({"options": {"memory": "lots"}}, "a size such as 256m"),
        ({"options": {"cpus": True}}, "a number such as 0.5"),
        ({"options": {"network": "host"}}, "has no address of its own"),
        ({"options": {"labels": {"autoscaler-pool": "other"}}}, "is ours"),
        ({"options": {"command": "sleep 1"}}, "expected a list of words"),
        ({"options": {"environment": {"A-B": "1"}}}, "no variable's name"),
        ({"options": {"web_port": 22}}, "are both 22"),
        ({"options": {"web_port": 0}}, "a port from 1 to 65535"),
        ({"options": {"restart": "maybe"}}, "unless-stopped"),
    ],
)
def test_a_wrong_order_is_refused_before_any_request(relay: Relay, wrong: dict[str, Any], said: str) -> None:
    provider, bad = opened(relay.url), replace(order(), **wrong)
    with pytest.raises(Refused, match=said) as refused:
        provider.create(bad)
    assert refused.value.kind == "invalid"
    assert relay.passed == []
    assert any(said in sentence for sentence in provider.examine(bad))


def test_an_image_or_a_network_that_is_not_there_is_told_before_and_after(relay: Relay) -> None:
    provider = opened(relay.url)
    assert provider.examine(order()) == ()
    [image] = provider.examine(order(image="nginx:latest"))
    assert "pull nginx:latest" in image
    [network] = provider.examine(order(network="fleeet"))
    assert "'fleeet'; it has bridge, host, none" in network
    with pytest.raises(Refused, match="pull nginx:latest"):
        provider.create(order(image="nginx:latest"))
    with pytest.raises(Refused, match="fleeet"):
        provider.create(order(network="fleeet"))
    assert provider.list(everything=True) == ()


# --- a create is two requests ---


def test_one_that_the_engine_cannot_start_is_removed_again(relay: Relay) -> None:
    provider = opened(relay.url)
    with pytest.raises(Refused, match="did not start and is removed") as refused:
        provider.create(order(command=["/no/such/program"]))
    assert refused.value.kind == "invalid"
    assert provider.list(everything=True) == ()


def test_one_that_does_not_start_and_cannot_be_removed_is_in_doubt(relay: Relay) -> None:
    provider = opened(relay.url)
    relay.faults.next("delete", Fault.LOST_REQUEST)
    with pytest.raises(Doubtful, match="could not be removed"):
        provider.create(order(command=["/no/such/program"]))
    assert [s.state for s in provider.list()] == [ServerState.CREATING]


@pytest.mark.parametrize(
    ("fault", "then"), [(Fault.LOST_REQUEST, ServerState.CREATING), (Fault.LOST_ANSWER, ServerState.RUNNING)]
)
def test_a_start_without_an_answer_is_in_doubt_and_shows(relay: Relay, fault: Fault, then: ServerState) -> None:
    provider = opened(relay.url)
    relay.faults.next("start", fault)
    with pytest.raises(Doubtful):
        provider.create(order())
    [seen] = provider.list()
    assert (seen.name, seen.state) == ("ws-web-1-0001", then)
    provider.delete(seen.id)
    assert provider.list() == ()


def test_a_create_without_an_answer_is_in_doubt_and_shows(relay: Relay) -> None:
    provider = opened(relay.url)
    relay.faults.next("create", Fault.LOST_ANSWER)
    with pytest.raises(Doubtful):
        provider.create(order())
    assert [(s.name, s.state) for s in provider.list()] == [("ws-web-1-0001", ServerState.CREATING)]


def test_killed_between_the_two_requests_it_stays_in_sight_as_creating(relay: Relay) -> None:
    """As a fork that ends at the start shows it; past `rules: creating` the core destroys it, by this id."""
    pid = os.fork()
    if pid == 0:
        provider = opened(relay.url)
        engine = provider._engine
        tell = engine.tell

        def die_at_the_start(deed: Callable[[Any], Any]) -> Any:
            if "start" in deed.__code__.co_names:
                os._exit(9)
            return tell(deed)

        engine.tell = die_at_the_start  # type: ignore[method-assign]
        provider.create(order())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    provider = opened(relay.url)
    [seen] = provider.list()
    assert (seen.name, seen.state, seen.detail) == ("ws-web-1-0001", ServerState.CREATING, "created")
    provider.delete(seen.id)
    assert provider.get(seen.id) is None


# --- states, keys, leftovers ---


def test_each_state_of_a_container_in_our_words(engine: Outside, relay: Relay) -> None:
    provider, client = opened(relay.url), asked(engine)
    made = provider.create(order(restart="no"))
    until(provider, made.id, ServerState.RUNNING)
    client.pause(made.id)
    paused = provider.get(made.id)
    assert paused is not None
    assert (paused.state, paused.detail) == (ServerState.STOPPED, "paused")
    client.unpause(made.id)
    client.kill(made.id)
    until(provider, made.id, ServerState.STOPPED)
    [stopped] = provider.list()
    assert stopped.detail == "exited (137)"
    assert provider.get(made.id) == stopped


def test_the_host_key_is_the_containers_own_and_asked_once(engine: Outside, relay: Relay, tmp_path: Path) -> None:
    site = Site(SystemClock(), tmp_path / "state")
    made = opened(relay.url, site=site).create(order())
    deadline = time.monotonic() + 60
    while not (key := opened(relay.url, site=site).list()[0].host_key):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    said = asked(engine).exec_create(made.id, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
    assert asked(engine).exec_start(said).decode().split()[:2] == key.split()
    before = len(relay.passed)
    [seen] = opened(relay.url, site=site).list()
    assert seen.host_key == key
    assert len(relay.passed) == before + 2, "its version and the listing"


def test_one_without_an_sshd_has_no_host_key(relay: Relay) -> None:
    provider = opened(relay.url)
    made = provider.create(order(command=["/usr/bin/sleep", "100"]))
    assert until(provider, made.id, ServerState.RUNNING).host_key is None


def test_leftovers_are_labelled_volumes_that_no_container_uses(engine: Outside, relay: Relay) -> None:
    provider, client = opened(relay.url), asked(engine)
    assert provider.leftovers() == ()
    for name, labels in (("ours", {"autoscaler-pool": "web"}), ("theirs", {}), ("used", {"autoscaler-pool": "web"})):
        client.create_volume(name, labels=labels)
    host = client.create_host_config(binds=["used:/data"])
    client.create_container(IMAGE, name="user", volumes=["/data"], host_config=host)
    assert [(left.kind, left.id) for left in provider.leftovers()] == [("volume", "ours")]


# --- published ports ---


def test_published_ports_are_recorded_and_drawn_from_the_range(engine: Outside, relay: Relay) -> None:
    provider = opened(relay.url, ports="20000-20003")
    made = [provider.create(order(serial)) for serial in (1, 2)]
    assert {p for s in made for p in (s.port, s.ssh_port)} == {20000, 20001, 20002, 20003}
    assert {s.address for s in made} == {"127.0.0.1"}
    assert {(s.id, s.address, s.port, s.ssh_port) for s in opened(relay.url).list()} == {
        (s.id, s.address, s.port, s.ssh_port) for s in made
    }
    with pytest.raises(Refused, match="widen `ports`") as refused:
        provider.create(order(3))
    assert refused.value.kind == "quota"
    bound = asked(engine).inspect_container(made[0].id)["HostConfig"]["PortBindings"]
    assert bound["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(made[0].port)}]


def test_a_stopped_containers_ports_are_not_given_to_another(engine: Outside, relay: Relay) -> None:
    """The engine would give them, and the stopped one could not start again."""
    provider = opened(relay.url, ports="20000-20001")
    made = provider.create(order(1))
    asked(engine).stop(made.id, timeout=0)
    with pytest.raises(Refused, match="no two ports of 20000-20001 are free"):
        provider.create(order(2))
    assert [s.id for s in provider.list()] == [made.id]


@pytest.mark.parametrize("ran", [False, True])
def test_a_strangers_ports_are_spared_before_it_runs_and_after(engine: Outside, relay: Relay, ran: bool) -> None:
    """We would start well, and the stranger not again. Its own labels say nothing, nor does the listing."""
    client = asked(engine)
    bindings = {80: ("127.0.0.1", 20001), 443: None, 8080: ("127.0.0.1", 20002), 8081: ("127.0.0.1", "20004-20005")}
    host = client.create_host_config(port_bindings=bindings)
    stranger = client.create_container(IMAGE, name="stranger", ports=list(bindings), host_config=host)["Id"]
    if ran:
        client.start(stranger)
        client.stop(stranger, timeout=0)
    with pytest.raises(Refused, match="no two ports of 20000-20002 are free") as refused:
        opened(relay.url, ports="20000-20002").create(order(1))
    assert refused.value.kind == "quota"
    made = opened(relay.url, ports="20000-20003").create(order(2))
    assert {made.port, made.ssh_port} == {20000, 20003}
    client.start(stranger)
    assert client.inspect_container(stranger)["State"]["Running"]


def test_a_stranger_that_goes_between_two_questions_holds_nothing(engine: Outside, relay: Relay) -> None:
    provider, client = opened(relay.url, ports="20000-20001"), asked(engine)
    host = client.create_host_config(port_bindings={80: ("127.0.0.1", 20000)})
    stranger = client.create_container(IMAGE, name="stranger", ports=[80], host_config=host)["Id"]
    summaries = provider._summaries

    def and_then_it_goes(filters: Any) -> Any:
        found = summaries(filters)
        if any(summary["Id"] == stranger for summary in found):
            client.remove_container(stranger)
        return found

    provider._summaries = and_then_it_goes  # type: ignore[method-assign]
    made = provider.create(order())
    assert {made.port, made.ssh_port} == {20000, 20001}


def test_one_that_cannot_tell_its_ports_stops_the_create(engine: Outside, relay: Relay) -> None:
    """What is not known is not free."""
    provider, client = opened(relay.url, ports="20000-20001"), asked(engine)
    client.create_container(IMAGE, name="stranger")
    provider.list()
    inspect = provider._engine._client.inspect_container
    provider._engine._client.inspect_container = lambda id: {**inspect(id), "HostConfig": None}
    with pytest.raises(ProviderUnreachable, match="not understood"):
        provider.create(order())
    assert provider.list() == ()


def test_nodes_that_race_for_ports_never_hold_one_twice(engine: Outside, relay: Relay) -> None:
    """Each has a Ports of its own, as processes have; whoever loses is removed and told so."""
    told: list[Server | Exception] = []
    nodes = [opened(relay.url, ports="20000-20007") for _ in range(4)]
    gate = threading.Barrier(len(nodes))

    def race(node: int) -> None:
        gate.wait()
        try:
            told.append(nodes[node].create(order(node + 1)))
        except (Refused, Doubtful) as err:
            told.append(err)

    threads = [threading.Thread(target=race, args=(node,)) for node in range(len(nodes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == len(nodes)
    refused = [err for err in told if isinstance(err, Refused)]
    assert {err.kind for err in refused} <= {"rate", "quota"}, refused
    assert not [err for err in told if isinstance(err, Doubtful)]
    there = opened(relay.url).list()
    assert {s.id for s in there} == {s.id for s in told if isinstance(s, Server)}
    ports = [p for s in there for p in (s.port, s.ssh_port)]
    assert len(ports) == len(set(ports))


def test_who_finds_its_port_on_another_container_yields(
    engine: Outside, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our drawing and our POST another node drew the same: seen in the second look, before any start."""
    provider, late = opened(relay.url, ports="20000-20001"), opened(relay.url, ports="20000-20001")
    first: list[Server] = []
    made = DockerProvider._made

    def made_later(self: DockerProvider, order_: Order, body: Any) -> str:
        if self is late:
            first.append(provider.create(order(1)))
        return made(self, order_, body)

    monkeypatch.setattr(DockerProvider, "_made", made_later)
    with pytest.raises(Refused, match=r"another took port 2000[01] meanwhile") as refused:
        late.create(order(2))
    assert refused.value.kind == "rate"
    assert [s.id for s in provider.list()] == [first[0].id]
    assert relay.passed.count("start") == 1


def test_a_port_that_the_engine_gave_to_a_stranger_refuses_and_leaves_nothing(engine: Outside, relay: Relay) -> None:
    """Its listing tells what a running stranger has published; one that starts later is told by the start.

    Where it asked for one of a range nothing is spared before: which one it takes is known when it runs.
    """
    client = asked(engine)
    host = client.create_host_config(port_bindings={80: ("127.0.0.1", "20000-20000")})
    stranger = client.create_container(IMAGE, name="stranger", ports=[80], host_config=host)["Id"]
    provider = opened(relay.url, ports="20000-20001")
    drawn = provider._summaries

    def and_then_it_starts(filters: Any) -> Any:
        found = drawn(filters)
        client.start(stranger)
        return found

    provider._summaries = and_then_it_starts  # type: ignore[method-assign]
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == "rate"
    assert opened(relay.url).list() == ()
    with pytest.raises(Refused, match="no two ports"):
        opened(relay.url, ports="20000-20001").create(order(2))


# --- opening it ---


def test_a_missing_engine_is_one_sentence_that_names_the_place(tmp_path: Path) -> None:
    provider = opened(f"unix://{tmp_path}/none.sock")
    for call in (provider.list, lambda: provider.get("0" * 64), lambda: provider.create(order())):
        with pytest.raises(ProviderUnreachable, match=r"none\.sock: No such file .* is the engine running"):
            call()


def test_an_engine_that_answers_nonsense_is_not_an_empty_one(relay: Relay) -> None:
    provider = opened(relay.url)
    provider.list()
    provider._engine._client.containers = lambda **_: None
    with pytest.raises(ProviderUnreachable, match="its listing is none"):
        provider.list()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "/var/run/docker.sock"}, "expected a URL"),
        ({"ports": "80-90"}, "between 1024 and 65535"),
        ({"ports": "20000"}, "a range such as"),
        ({"ports": "20000-20999", "publish": "0.0.0.0"}, "is every address"),
        ({"ports": "20000-20999", "publish": "web.example"}, "no IP address"),
        ({"publish": "127.0.0.1"}, "nothing is published without `ports`"),
        ({"hosts": "x"}, "unknown option 'hosts'"),
    ],
)
def test_wrong_settings_are_told_at_once(settings: dict[str, object], said: str) -> None:
    with pytest.raises(DocumentFault, match=said):
        adapter.open_provider("web", settings, SITE)


def test_the_catalogue_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [about] = [about for about in catalogue.providers() if about.name == "docker"]
    assert about.extra == "docker"
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    with pytest.raises(Exception, match=r"pip install 'autoscaler-toolkit\[docker\]'"):
        catalogue.open_provider("docker", "web", {}, SITE)


@pytest.mark.parametrize("label", ["abc", "-1", "0", "99999", "8.0", "²"])
def test_a_label_that_is_no_port_hides_no_container(label: str) -> None:
    """Anybody may label a container; one such must not make the whole listing unreadable."""
    odd = {"Labels": {PUBLISH: "127.0.0.1", WEB_PORT: label, SSH_PORT: "2022"}, "Ports": []}
    assert recorded_ports([odd]) == {2022}
