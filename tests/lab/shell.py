"""`python -m tests.lab.inside tests.lab.shell`: a small lab and a shell in it, to poke."""

from __future__ import annotations

import os
import subprocess

from tests.lab.bridge import Bridge
from tests.lab.host import Host
from tests.lab.inside import truly_root
from tests.lab.light import LightHost
from tests.lab.whole import WholeHost


def main(light: str = "2") -> None:
    """That many light hosts, and as root a whole one; ends with the shell."""
    with Bridge() as bridge:
        hosts: list[Host] = [LightHost(bridge, f"web-{number + 1}") for number in range(int(light))]
        if truly_root():
            hosts.append(WholeHost(bridge, "node-1", web=True))
        for host in hosts:
            host.boot()
        print("This is the lab's network; nothing leads out of it. `exit` ends it all.")
        for host in hosts:
            known = f"-o UserKnownHostsFile={host.folder}/known_hosts"
            print(f"  {host.name:8} ssh -i {bridge.key} {known} root@{host.address}")
            print(f"  {'':8} curl http://{host.address}/health")
        subprocess.call(["bash", "--norc"], env={**os.environ, "PS1": "lab# "})
