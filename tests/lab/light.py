"""Light hosts: webservers by the dozen. The machine's own disk, read-only, and a folder of their own at /srv."""

from __future__ import annotations

from pathlib import Path

from tests.lab.bridge import Bridge
from tests.lab.host import Host
from tests.lab.inside import truly_root
from tests.lab.services import nginx_conf, sshd_conf


class LightHost(Host):
    """Real sshd and nginx, ready in some 60 ms. `path`, `read`, `write`, `exists` know /srv only."""

    def __init__(self, bridge: Bridge, name: str) -> None:
        super().__init__(bridge, name)
        own = self.folder
        (own / "srv").mkdir()
        (own / "www").mkdir()
        (own / "authorized_keys").write_text(bridge.public + "\n")
        (own / "sshd.conf").write_text(sshd_conf(str(own), self.address, str(own / "host_key")))
        (own / "nginx.conf").write_text(nginx_conf(str(own), self.address, name))

    def path(self, inside: str) -> Path:
        """Where the scenario finds it. ValueError for anything outside /srv: it belongs to the machine."""
        path = Path(inside)
        if not path.is_relative_to("/srv") or ".." in path.parts:
            raise ValueError(f"a light host owns /srv only, not {inside}")
        return self.folder / "srv" / path.relative_to("/srv")

    @property
    def _web(self) -> Path:
        return self.folder

    @property
    def _nginx_conf(self) -> Path:
        return self.folder / "nginx.conf"

    def _init_script(self) -> str:
        own = self.folder
        # in a user namespace the kernel may hold the flags of a mount fast; the user's rights bound the harm there
        must = "" if truly_root() else " || true"
        return (
            f"mount -t proc proc /proc\nmount --bind {own}/srv /srv\nmount -o remount,bind,ro /{must}\n"
            f"/usr/sbin/sshd -D -e -f {own}/sshd.conf &\nnginx -c {own}/nginx.conf &\n"
            "set +e\nwhile :; do sleep 86400 & wait; done\n"
        )
