"""The lab's hosts are what they say: real, their own, and gone without a trace."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.clock import FAKETIME
from tests.lab.inside import ROOT, ScenarioFailed, run_inside

pytestmark = pytest.mark.lab("hosts")
HERE = "tests.lab.test_hosts"
programs = pytest.mark.debian("sshd", "nginx", "ip", "unshare")


def light() -> dict[str, Any]:
    """Inside: four light hosts, asked by HTTP and by SSH."""
    import urllib.request

    from tests.lab.bridge import Bridge
    from tests.lab.light import LightHost

    with Bridge() as bridge:
        hosts = [LightHost(bridge, f"web-{n}") for n in range(4)]
        for host in hosts:
            host.boot(wait=False)
        said: dict[str, Any] = {"http": [], "ssh": [], "inside": [], "places": []}
        for host in hosts:
            host.wait_up()
            with urllib.request.urlopen(f"http://{host.address}/health", timeout=30) as answer:
                said["http"].append(answer.read().decode())
            said["ssh"].append(host.ssh("hostname; exit 3").__dict__)
            said["inside"].append(sorted(set(host.processes().values())))
            said["places"].append(host.address)
        one = hosts[0]
        one.write("/srv/mark", "kept")
        said["etc"] = one.run(["touch", "/etc/lab-was-here"]).code
        said["environment"] = one.run(["env"], env={"MORE": "1"}).out.split()
        said["ways out"] = one.run(["bash", "-c", "exec 3<>/dev/tcp/198.51.100.1/80"]).err
        with socket.socket() as sock:
            said["way out"] = os.strerror(sock.connect_ex(("198.51.100.1", 80)))
        said["fed"] = one.run(["cat"], stdin="a word").out
        one.reboot()
        said["again"] = [one.boots, list(one.endings), one.ssh("cat /srv/mark").out, hosts[1].exists("/srv/mark")]
        one.power_off()
        said["off"] = [one.running, one.processes()]
        try:
            one.read("/etc/passwd")
        except ValueError as err:
            said["not its own"] = str(err)
        return said


@programs
def test_light_hosts_answer_by_http_and_by_ssh() -> None:
    said = run_inside(f"{HERE}:light")
    assert said["http"] == [f"ok web-{n}\n" for n in range(4)]
    assert said["ssh"] == [{"code": 3, "out": f"web-{n}\n", "err": ""} for n in range(4)]
    assert said["inside"] == [["nginx", "sh", "sleep", "sshd"]] * 4
    assert said["places"] == ["10.77.1.2", "10.77.1.3", "10.77.1.4", "10.77.1.5"]
    assert said["etc"] != 0
    assert not Path("/etc/lab-was-here").exists()
    assert {word.partition("=")[0] for word in said["environment"]} == {"PATH", "HOME", "LANG", "MORE"}
    assert said["way out"] == os.strerror(errno.ENETUNREACH)
    assert "nreachable" in said["ways out"]  # the bridge passes it on, and has no way either
    assert said["fed"] == "a word"
    assert said["again"] == [2, ["pulled"], "kept", False]
    assert said["off"] == [False, {}]
    assert "/srv" in said["not its own"]


def whole(faketime: str) -> dict[str, Any]:
    """Inside: a whole host's life: its cron, its reboot, its disk, its end."""
    from tests.lab.bridge import Bridge
    from tests.lab.whole import WholeHost

    with Bridge() as bridge:
        hurried = {"LD_PRELOAD": faketime, "FAKETIME": "+0 x60"}
        one = WholeHost(bridge, "node-1", ["echo $$ >/var/served"], zone="Europe/Berlin", cron_env=hurried)
        two = WholeHost(bridge, "node-2")
        for host in (one, two):
            host.boot()
        said: dict[str, Any] = {"mine": os.readlink("/proc/self/ns/pid")}
        said["processes"] = sorted(one.processes().values())
        said["crontab"] = one.run(["crontab", "-l"]).err
        said["jobs of this machine"] = one.run(["find", "/etc/crontab", "/etc/cron.d", "/etc/cron.daily"]).out.split()
        said["secrets of this machine"] = one.run(["find", "/root", "-maxdepth", "1", "-name", ".*rc"]).out
        said["ids"] = [h.run(["cat", "/etc/machine-id", "/proc/sys/kernel/random/boot_id"]).out for h in (one, two)]
        said["uptime"] = float(one.run(["cat", "/proc/uptime"]).out.split()[0])
        said["zones"] = [host.run(["date", "-d", "2026-07-01 00:00 UTC", "+%H %Z"]).out for host in (one, two)]
        ours = "import autoscaler.cycle; print(autoscaler.cycle.__file__)"
        said["python"] = one.run([sys.executable, "-c", ours], env={"PYTHONPATH": str(ROOT)}).out
        said["served"] = one.exists("/var/served")

        one.write("/var/ticks", "")
        one.crontab("* * * * * readlink /proc/self/ns/pid >>/var/ticks; hostname >>/var/ticks\n")
        one.wait_for(lambda: one.read("/var/ticks").count("\n") >= 4, 150, "cron's second tick")
        said["ticks"] = one.read("/var/ticks").splitlines()[:4]
        said["its namespace"] = one.run(["readlink", "/proc/1/ns/pid"]).out.strip()

        first = one.run(["cat", "/proc/sys/kernel/random/boot_id"]).out
        one.write("/etc/mark", "kept")
        said["ordered"] = one.ssh("echo gone >/tmp/mark; shutdown -r now").code
        one.wait_boots(2)
        said["rebooted"] = [list(one.endings), one.read("/etc/mark"), one.run(["test", "-e", "/tmp/mark"]).code]
        said["new boot"] = first != one.run(["cat", "/proc/sys/kernel/random/boot_id"]).out
        said["still its crontab"] = one.run(["crontab", "-l"]).out
        one.run(["poweroff"])
        one.wait_off()
        said["off"] = [list(one.endings), one.boots, one.read("/etc/mark")]
        one.power_on()
        one.run(["reboot", "-f"])
        one.wait_boots(4)
        said["ends"] = [list(one.endings), list(two.endings), two.boots]

        two.fill_disk()
        copy = ["sh", "-c", "cat /etc/passwd >/var/copy"]
        said["full"] = [host.run(copy).code for host in (two, one)]
        two.free_disk()
        said["free"] = two.run(copy).code
        return said


@programs
@pytest.mark.root
@pytest.mark.debian("cron")
@pytest.mark.lab("faketime")
def test_a_whole_host_lives_its_own_life() -> None:
    said = run_inside(f"{HERE}:whole", str(FAKETIME))
    assert said["processes"] == ["cron", "init", "sleep", "sshd"]
    assert said["crontab"].startswith("no crontab for root")
    assert said["jobs of this machine"] == ["/etc/cron.d", "/etc/cron.daily"]
    assert said["secrets of this machine"] == ""
    assert len({*"".join(said["ids"]).split()}) == 4
    assert not {*"".join(said["ids"]).split()} & {*Path("/etc/machine-id").read_text().split()}
    if Path("/proc/self/ns/time").exists():
        assert said["uptime"] < float(Path("/proc/uptime").read_text().split()[0])
    assert said["zones"] == ["02 CEST\n", "00 UTC\n"]
    assert said["python"].strip() == str(ROOT / "autoscaler" / "cycle.py")
    assert said["served"]
    assert said["ticks"] == [said["its namespace"], "node-1"] * 2
    assert said["its namespace"] not in (said["mine"], os.readlink("/proc/self/ns/pid"))
    assert said["ordered"] in (0, 255)  # its sshd may be gone before it can say so
    assert said["rebooted"] == [["reboot"], "kept", 1]
    assert said["new boot"]
    assert "readlink" in said["still its crontab"]
    assert said["off"] == [["reboot", "power off"], 2, "kept"]
    assert said["ends"] == [["reboot", "power off", "reboot"], [], 1]
    assert said["full"] == [1, 0]
    assert said["free"] == 0
    for mark in ("/etc/mark", "/var/ticks", "/var/served", "/var/copy"):
        assert not Path(mark).exists()


# --- What the scenario cannot tell -------------------------------------------------------------------------


def lost() -> None:
    """Inside: a scenario that fails."""
    print("a word before")
    raise ValueError("the reason")


def endless() -> None:
    """Inside: a scenario with a host that waits to be killed."""
    from tests.lab.bridge import Bridge
    from tests.lab.inside import truly_root
    from tests.lab.light import LightHost
    from tests.lab.whole import WholeHost

    with Bridge() as bridge:
        (WholeHost if truly_root() else LightHost)(bridge, "host").boot()
        print("up", flush=True)
        signal.pause()


@programs
def test_a_scenario_that_fails_or_is_late_says_what_it_said() -> None:
    with pytest.raises(ScenarioFailed, match=r"(?s)a word before.*ValueError: the reason"):
        run_inside(f"{HERE}:lost")
    with pytest.raises(ScenarioFailed, match=r"(?s)was not done within 2 s"):
        run_inside(f"{HERE}:endless", timeout=2)


def children() -> dict[int, list[int]]:
    """Every process that runs, by its parent."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            found.setdefault(int(parent), []).append(int(stat.parent.name))
    return found


def below(pid: int) -> set[int]:
    """Every process below this one."""
    born, found, todo = children(), set[int](), [pid]
    while todo:
        more = born.get(todo.pop(), [])
        found.update(more)
        todo += more
    return found


def outside() -> dict[str, list[str]]:
    """Where a lab could leave a trace on this machine: mounts, links of the network, names in /run."""
    rows = Path("/proc/self/net/dev").read_text().splitlines()
    return {
        "mounts": Path("/proc/self/mounts").read_text().splitlines(),
        "links": [row.partition(":")[0].strip() for row in rows if ":" in row],
        "run": sorted(os.listdir("/run")),
    }


@programs
@pytest.mark.parametrize("depth", range(4), ids=["its starter", "unshare", "the first inside", "the scenario"])
def test_nothing_is_left_whoever_is_killed(depth: int) -> None:
    before = outside()
    call = f"import subprocess as s; from tests.lab.inside import *; s.call(command('{HERE}:endless'), env=environ())"
    starter = subprocess.Popen([sys.executable, "-c", call], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    family = below(starter.pid)
    chain = [starter.pid]
    while len(chain) < 4:
        chain += children()[chain[-1]][:1]
    assert len(family) > 5  # unshare, first, scenario, the host's unshare, init, sshd ...
    os.kill(chain[depth], signal.SIGKILL)
    starter.wait(30)
    end = time.monotonic() + 30
    while left := family & {pid for born in children().values() for pid in born}:
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.01)
    assert outside() == before


def crowd(number: str) -> dict[str, Any]:
    """Inside: that many light hosts, booted eight at a time."""
    from concurrent.futures import ThreadPoolExecutor

    from autoscaler.reading import RungName
    from autoscaler.rung import Http, Rung, Ssh
    from providerscripts.probes.ladder import LadderProber
    from tests.lab.bridge import Bridge
    from tests.lab.light import LightHost

    def available() -> int:
        return int(Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0])

    figures: dict[str, Any] = {}

    def lap(what: str, began: float) -> float:
        figures[what] = round(time.monotonic() - began, 2)
        return time.monotonic()

    with Bridge() as bridge, ThreadPoolExecutor(8) as crew:
        free, at = available(), time.monotonic()
        hosts = [LightHost(bridge, f"web-{n}") for n in range(int(number))]
        at = lap("made, s", at)
        list(crew.map(LightHost.boot, hosts))
        at = lap("booted, s", at)
        figures["a host, MB"] = round((free - available()) / 1024 / len(hosts), 1)
        at = time.monotonic()
        prober, targets = LadderProber(), [host.target() for host in hosts]
        for name in (RungName.REACHABLE, RungName.SERVING, RungName.KNOWN):
            heard = prober.ask(Rung(name, 60.0, Http("/health"), Ssh(key=str(bridge.key))), targets, 120.0)
            figures[f"{name} good"] = sum(reading.good for reading in heard.values())
            at = lap(f"{name}, s", at)
        bridge.close()
        lap("all off, s", at)
    return figures


@programs
@pytest.mark.slow
def test_fifty_light_hosts_boot_and_answer() -> None:
    figures = run_inside(f"{HERE}:crowd", "50", timeout=280)
    print("50 light hosts:", figures)
    assert [figures[f"{rung} good"] for rung in ("reachable", "serving", "known")] == [50, 50, 50]
