"""Each fault a host of the lab can suffer, as the product's own LadderProber hears it, rung by rung."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from tests.lab.inside import run_inside, truly_root

pytestmark = pytest.mark.lab("hosts")
LOOK = 1.0  # seconds of patience where silence is expected
LONG = 60.0  # where an answer is
RUNGS = ("reachable", "known", "built", "serving")
GOOD, BAD, SILENT, NOT_YET, OTHER_KEY = "good", "bad", "silent", "not yet", "other key"

# fault: what each rung hears, and a word that its Reading tells
HEARD: dict[str, tuple[tuple[str, str], ...]] = {
    "none": ((GOOD, ""), (GOOD, ""), (GOOD, "disk"), (GOOD, "")),
    "off": ((SILENT, ""),) * 4,
    "partition": ((SILENT, ""),) * 4,
    "frozen": ((GOOD, ""), (SILENT, ""), (SILENT, ""), (SILENT, "")),
    "sick 500": ((GOOD, ""), (GOOD, ""), (GOOD, ""), (BAD, "500")),
    "sick 503": ((GOOD, ""), (GOOD, ""), (GOOD, ""), (BAD, "503")),
    "web crashed": ((BAD, "refused"), (GOOD, ""), (GOOD, ""), (BAD, "refused")),
    "deaf": ((SILENT, ""),) * 4,
    "late web": ((GOOD, ""),) * 4,
    "slow web": ((GOOD, ""), (GOOD, ""), (GOOD, ""), (SILENT, "")),
    "half built": ((GOOD, ""), (GOOD, ""), (NOT_YET, "marker"), (GOOD, "")),
    "other machine": ((GOOD, ""), (OTHER_KEY, ""), (OTHER_KEY, ""), (GOOD, "")),
    "narrow": ((GOOD, ""),) * 4,
    "lossy": ((GOOD, ""),) * 4,
    "rebooted": ((GOOD, ""),) * 4,
    "healed": ((GOOD, ""),) * 4,
    "thawed": ((GOOD, ""),) * 4,
    "well again": ((GOOD, ""),) * 4,
    "web mended": ((GOOD, ""),) * 4,
    "disk full": ((GOOD, ""), (GOOD, ""), (BAD, "disk 100 %"), (GOOD, "")),  # a whole host: root only
}


def faults() -> dict[str, dict[str, tuple[str, str, float]]]:
    """Inside: one host for each fault, all asked at once; what each rung heard."""
    from dataclasses import replace

    from autoscaler.reading import RungName
    from autoscaler.rung import Http, Rung, Ssh
    from providerscripts.probes.ladder import LadderProber
    from tests.lab.bridge import Bridge
    from tests.lab.host import Host
    from tests.lab.light import LightHost
    from tests.lab.whole import WholeHost

    with Bridge() as bridge:
        hosts: dict[str, Host] = {fault: LightHost(bridge, f"h{n}") for n, fault in enumerate(HEARD)}
        if truly_root():
            hosts["disk full"] = WholeHost(bridge, "whole", web=True, disk="16m")
        else:
            del hosts["disk full"]
        for host in hosts.values():
            host.boot(wait=False)
        for fault, host in hosts.items():
            host.wait_up()
            if fault != "half built":
                host.write("/srv/ready", "")

        hosts["off"].power_off()
        for fault in ("partition", "healed"):
            hosts[fault].partition()
        for fault in ("frozen", "thawed"):
            hosts[fault].freeze()
        for fault, status in (("sick 500", 500), ("sick 503", 503), ("well again", 500)):
            hosts[fault].sick(status)
        for fault in ("web crashed", "web mended"):
            hosts[fault].crash_web()
        hosts["slow web"].delay(3600)
        hosts["late web"].delay(0.7)
        hosts["narrow"].narrow("64kbit")
        hosts["lossy"].loss(20)
        hosts["deaf"].loss(100)
        for fault in ("healed", "thawed", "well again", "web mended"):
            host = hosts[fault]
            {"healed": host.heal, "thawed": host.thaw, "well again": host.well, "web mended": host.mend_web}[fault]()
        hosts["rebooted"].reboot()
        if isinstance(full := hosts.get("disk full"), WholeHost):
            full.fill_disk()

        targets = {fault: host.target(f"{n}") for n, (fault, host) in enumerate(hosts.items())}
        targets["other machine"] = replace(targets["other machine"], pin=hosts["none"].pin)
        prober = LadderProber()
        said: dict[str, dict[str, tuple[str, str, float]]] = defaultdict(dict)
        for place, name in enumerate(RUNGS):
            for silent in (False, True):
                asked = [f for f in hosts if (HEARD[f][place][0] == SILENT) is silent]
                rung = Rung(
                    RungName(name), LOOK if silent else LONG, Http("/health"),
                    Ssh(key=str(bridge.key), marker="/srv/ready"),
                )  # fmt: skip
                heard = prober.ask(rung, [targets[fault] for fault in asked], LONG + 10)
                for fault in asked:
                    reading = heard[targets[fault].name]
                    said[fault][name] = (reading.heard.value, reading.detail, round(reading.milliseconds, 1))
        return said


@pytest.mark.debian("sshd", "nginx", "ip", "tc", "iptables", "unshare")
def test_every_fault_is_heard_for_what_it_is() -> None:
    said = run_inside("tests.lab.test_faults_seen:faults")
    print(f"\n{'fault':14} " + " ".join(f"{rung:26}" for rung in RUNGS))
    for fault, row in said.items():
        cells = (f"{row[rung][0]}, {row[rung][2]:.0f} ms {row[rung][1]}"[:26] for rung in RUNGS)
        print(f"{fault:14} " + " ".join(f"{cell:26}" for cell in cells))
    heard = {fault: tuple(row[rung][0] for rung in RUNGS) for fault, row in said.items()}
    assert heard == {fault: tuple(cell[0] for cell in row) for fault, row in HEARD.items() if fault in said}
    for fault, row in said.items():
        for rung, (_, word) in zip(RUNGS, HEARD[fault], strict=True):
            assert word in row[rung][1], f"{fault}, {rung}: {row[rung]}"
    assert set(HEARD) - set(said) <= {"disk full"}
    # what no machine is fast enough to undercut
    assert said["late web"]["serving"][2] >= 700
    assert run_inside("tests.lab.test_faults_seen:narrow") >= 1.0


def narrow() -> float:
    """Inside: how many seconds 10 kB take at 64 kbit/s, of which 2 kB may come in one burst."""
    from tests.lab.bridge import Bridge
    from tests.lab.light import LightHost

    with Bridge() as bridge:
        host = LightHost(bridge, "narrow").boot()
        host.narrow("64kbit")
        began = time.monotonic()
        assert len(host.ssh("head -c 10000 /dev/zero").out) == 10000
        return time.monotonic() - began


def cut() -> dict[str, list[int]]:
    """Inside: two that no longer hear each other, and a third; ssh's exit code each way."""
    from tests.lab.bridge import Bridge
    from tests.lab.light import LightHost

    with Bridge() as bridge:
        one, two, three = (LightHost(bridge, name).boot() for name in ("one", "two", "three"))

        def asks(host: LightHost, other: LightHost) -> int:
            get = "printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3; grep -q 200 <&3"
            return host.run(["timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{other.address}/80; {get}"]).code

        said = {"before": [asks(one, two), asks(two, one), asks(one, three)]}
        one.cut_from(two)
        said["cut"] = [asks(one, two), asks(two, one), asks(one, three), asks(three, two)]
        one.heal()
        two.heal()
        said["healed"] = [asks(one, two), asks(two, one)]
        return said


@pytest.mark.debian("sshd", "nginx", "ip", "iptables", "unshare")
def test_two_hosts_are_cut_from_each_other_and_from_nobody_else() -> None:
    late = 124  # timeout(1)'s own
    assert run_inside("tests.lab.test_faults_seen:cut") == {
        "before": [0, 0, 0],
        "cut": [late, late, 0, 0],
        "healed": [0, 0],
    }


def stubborn() -> list[object]:
    """Inside: faults upon faults, and what is asked of a host that is off."""
    from tests.lab.bridge import Bridge
    from tests.lab.faults import HostDown
    from tests.lab.light import LightHost

    def refused(deed: Callable[[], object]) -> str:
        try:
            deed()
        except (HostDown, TimeoutError, ValueError) as err:
            return f"{type(err).__name__}: {err}".splitlines()[0]
        return "done"

    with Bridge() as bridge:
        host = LightHost(bridge, "host")
        host.power_off()
        said: list[object] = [host.running, refused(lambda: host.run(["true"])), refused(lambda: host.loss(5))]
        host.partition()
        host.boot(wait=False).boot(wait=False)
        said += [host.boots, refused(lambda: host.wait_up(0.2))]
        host.heal()
        host.wait_up()
        host.freeze()
        host.freeze()
        said.append(refused(lambda: host.wait_up(0.2)))
        host.reboot()
        host.thaw()
        host.sick(503)
        host.sick(500)
        host.reboot()
        said.append(sorted(path.name for path in host.folder.glob("sick-*")))
        said.append(refused(lambda: host.sick(200)))
        host.power_off()
        host.power_off()
        return [*said, host.boots, host.endings, host.processes()]


@pytest.mark.debian("sshd", "nginx", "ip", "iptables", "unshare")
def test_faults_add_up_and_a_host_that_is_off_says_so() -> None:
    assert run_inside("tests.lab.test_faults_seen:stubborn") == [
        False, "HostDown: host is off", "HostDown: host is off",
        1, "TimeoutError: host: port 22 has not come within 0.2 s. Its log:",
        "TimeoutError: host: port 22 has not come within 0.2 s. Its log:",
        ["sick-500"], "ValueError: a sick web answers 500 or 503, not 200",
        3, ["pulled"] * 3, {},
    ]  # fmt: skip
