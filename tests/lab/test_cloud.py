"""The lab's cloud and its Provider keep the contract of every Provider; and its machines can be lab hosts."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.server import ServerState
from providerscripts.servers.faults import Fault
from tests.lab.clock import HURRIED, LabClock
from tests.lab.cloud import Cloud, NameRack
from tests.lab.inside import ROOT, run_inside
from tests.lab.provider import TRAITS, LabProvider, install
from tests.providerscripts.servers.contract import CannotShow, ProviderContract, World


class Unanswered(LabProvider):
    """Its next call of `gone` finds nobody at the cloud's port."""

    gone = ""

    def _ask(self, verb: str, *words: object, **more: object) -> object:
        if verb != self.gone:
            return super()._ask(verb, *words, **more)
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            url, self.url, self.gone = self.url, f"http://127.0.0.1:{taken.getsockname()[1]}", ""
            try:
                return super()._ask(verb, *words, **more)
            finally:
                self.url = url


class TestContract(ProviderContract):
    """With machines that are names only: what is proved is the wire, the doubt and the listing."""

    @pytest.fixture
    def world(self, tmp_path):
        clock = LabClock(tmp_path, datetime.now(UTC), rate=50)
        with Cloud(clock, NameRack(), boot_delay=5.0, lag=5.0) as cloud:
            traits = replace(TRAITS, http_timeout=10.0)  # a test waits for what they add up to
            provider = Unanswered(cloud.url, "web", traits)

            def script(verb: str, fault: Fault, seconds: float) -> None:
                if fault is Fault.UNREACHABLE:
                    provider.gone = verb
                elif fault is Fault.NEVER_ONLINE:
                    raise CannotShow("these machines are names only")
                else:
                    cloud.next(verb, fault, seconds)

            yield World(
                provider=provider,
                another=lambda pool: LabProvider(cloud.url, pool, traits),
                script=script,
                truth=lambda: {machine.id for machine in cloud.living()},
                made=lambda: len(cloud.machines),
                quota=lambda most: setattr(cloud, "quota", most),
                wait=clock.sleep,
            )


def test_the_product_finds_it_by_its_entry_point(tmp_path):
    install(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from helperscripts.cli import main; main()", "providers"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}", "HOME": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "hosts in network namespaces" in done.stdout
    assert "lab-cloud" in done.stdout


@pytest.mark.debian("sshd", "nginx")
@pytest.mark.lab("hosts")
def test_its_machines_are_hosts_that_boot_serve_fail_and_go():
    told = run_inside("tests.lab.rented")
    assert told["states"] == [ServerState.CREATING, ServerState.RUNNING, ServerState.STOPPED, ServerState.RUNNING]
    assert told["pages"] == ["ok ws-web-1-0001\n"] * 2
    assert told["pinned"]
    assert told["doubtful_made"] == 1
    assert told["left"] == 0


def test_the_lab_clock_is_one_line_for_all(tmp_path):
    clock = LabClock(tmp_path, datetime(2027, 3, 28, 5, 20, tzinfo=UTC), 20, "Europe/Berlin")

    def told() -> float:
        line = "import time; time.sleep(2); print(time.time())"
        env = {**clock.environment(), "PYTHONPATH": str(HURRIED)}
        return float(subprocess.run([sys.executable, "-c", line], env=env, capture_output=True, text=True).stdout)

    before = clock.now()
    first = told()
    assert before + 2 < first < clock.now()
    clock.jump(clock.at("11:40"))
    before = clock.now()
    assert clock.text(before).startswith("11:40")
    assert before + 2 < told() < clock.now()
    with pytest.raises(ValueError, match="does not go back"):
        clock.jump(clock.at("11:00"))
