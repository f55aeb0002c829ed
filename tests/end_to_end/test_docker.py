"""A fleet of containers: 1 to 4 by its schedule, though a node dies for good, and 1. No visitor notices."""

from __future__ import annotations

import pytest

from tests.lab.inside import run_inside

TAKEN_OVER = "share 2 from node 2 to node 1: the lease of node 2 ran out"
SHAKEN = 6  # exit code of a tick in which a part failed; the next one does it


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.debian("dockerd", "sshd", "ssh-keygen", "nginx", "iptables", "haproxy")
@pytest.mark.lab("engine")
def test_containers_come_and_go_and_no_visitor_notices() -> None:
    told = run_inside("tests.end_to_end.docker_fleet", timeout=400)
    print(told["log"])

    assert len(told["four"]) == 4
    assert len([name for name in told["four"] if name.startswith("ws-web-2-")]) == 2
    assert told["wishes"].count("4 webservers wanted instead of 1 (entry morning)") == 1, told["wishes"]
    assert told["half built"], "node 2 was killed too late"
    assert set(told["half built"]) <= set(told["four"]), "the node that is left carries the same ones on"
    assert TAKEN_OVER in told["leases"], told["leases"]
    assert len(told["one"]) == 1
    assert told["left over"] == []
    for noticed in told["noticed"]:
        assert noticed["failures"] == 0, noticed
        assert noticed["sent"] == noticed["answered"] >= 1000
        assert set(noticed["status"]) == {"200"}
    served = {name for noticed in told["noticed"] for name in noticed["by"] if name.startswith("ws-")}
    assert served == set(told["four"])
    assert set(told["endings"]) <= {0, SHAKEN, -9}, told["log"]

    # The whole ladder: each was logged into, and showed the key that the engine read out of it.
    for rung in ("reachable", "known", "built", "serving"):
        assert rung in told["health"]
    assert all(pin.startswith("ssh-ed25519 ") for pin in told["pins"].values()), told["pins"]
    assert len(set(told["pins"].values())) == len(told["pins"]) == 4, "each has a key of its own"

    # Published ports: the same before and after a reboot, its web behind them.
    assert told["published"]["said"] == ["ws-other-1-0001"] * 2
    first, again = told["published"]["ports"]
    assert first == again
    assert first[0] == "127.0.0.1"
    assert all(20000 <= port <= 20999 for port in first[1:])
    assert "already in use" in told["published"]["twice"]
