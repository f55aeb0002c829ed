"""Whole hosts: nodes. A disk of their own over this machine's, their own processes, Debian's cron, a real reboot.

The disk is an overlay: below, this machine's root file system as it is, with Python, the checkout, sshd, nginx,
HAProxy and cron at the same paths; above, a file system in memory with what the host wrote, which outlives its
reboot. What would make it act for this machine is not there: crontabs, keys, settings, state.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.lab.bridge import Bridge
from tests.lab.host import Host, new_boot_id
from tests.lab.inside import ROOT, truly_root
from tests.lab.services import nginx_conf, sshd_conf

NEEDED = tuple(dict.fromkeys(Path(path).resolve() for path in (ROOT, sys.prefix, sys.base_prefix)))
ZONES = Path("/usr/share/zoneinfo")
OWN = "/var/lib/lab"  # in the host: what makes it a host of the lab
# Paths that hold this machine's own life: folders are empty in a host, files are not there.
NOT_OURS = (
    "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/cron.yearly",
    "/etc/crontab", "/etc/cron.allow", "/etc/cron.deny", "/var/spool/cron/crontabs", "/etc/autoscaler",
    "/var/lib/autoscaler", "/var/log", "/var/mail", "/root", "/home", "/etc/ssh", "/etc/environment", "/etc/nologin",
    "/.dockerenv", "/var/lib/dbus/machine-id",
)  # fmt: skip
FILLER = "/var/filler"

ENDS = """#!{python} -ISE
import ctypes, os, signal, sys, time
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
off = name in ("poweroff", "halt") or (name == "shutdown" and not {{"-r", "--reboot"}} & set(words))
if not {{"-f", "--force"}} & set(words):
    if os.fork():
        sys.exit(0)  # as systemd's: it is ordered, and happens after
    os.setsid()
    time.sleep(0.2)
    for number in (signal.SIGTERM, signal.SIGKILL):  # to all but this and the first
        try:
            os.kill(-1, number)
        except ProcessLookupError:
            break
        time.sleep(0.3)
os.sync()
ctypes.CDLL(None).reboot(0x4321FEDC if off else 0x1234567)  # RB_POWER_OFF, RB_AUTOBOOT of reboot(2)
"""


class WholeHost(Host):
    """Root of the machine only (`truly_root`).

    services  lines of sh, run at each boot after sshd and cron: "nginx -c /etc/nginx/shop.conf &"
    web       it also runs the lab's own nginx with a health page, so `sick` and `crash_web` work
    zone      its local time zone, an IANA name
    disk      how much it can write, in tmpfs's words
    cron_env  environment of the cron daemon, e.g. libfaketime's: LD_PRELOAD, FAKETIME

    Its `reboot`, `shutdown -r now`, `poweroff`, `shutdown -h now` are the real thing: the kernel ends its first
    process and says which it was. It has its own machine id, boot id and, where the kernel has time namespaces,
    uptime. There is no systemd. /run and /tmp are new at each boot, all else stays.
    """

    own_clock = Path("/proc/self/ns/time").exists()

    def __init__(
        self,
        bridge: Bridge,
        name: str,
        services: Sequence[str] = (),
        *,
        web: bool = False,
        zone: str = "Etc/UTC",
        disk: str = "256m",
        cron_env: Mapping[str, str] | None = None,
    ) -> None:
        if not truly_root():
            raise PermissionError("whole hosts want the machine's root: an overlay over / and its own devices")
        if not (ZONES / zone).is_file():
            raise ValueError(f"{zone} is no zone in {ZONES}")
        super().__init__(bridge, name)
        self.has_web = web
        self.services = list(services)
        self.cron_env = dict(cron_env or {})
        self.root = self.folder / "root"
        self._make_disk(disk)
        self._furnish(zone)

    def path(self, inside: str) -> Path:
        """Where the scenario finds it: on its disk, so not what lies in its /run, /tmp, /proc or /dev."""
        path = Path(inside)
        if not path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{inside} is no absolute path")
        if path.parts[1:2] and path.parts[1] in ("run", "tmp", "proc", "dev", "sys"):
            raise ValueError(f"{inside} is not on its disk: use run()")
        return self.root / path.relative_to("/")

    def set_zone(self, zone: str) -> None:
        """Its local time zone, from the next start of a program on."""
        local = self.root / "etc/localtime"
        local.unlink(missing_ok=True)
        local.symlink_to(ZONES / zone)
        self.write("/etc/timezone", f"{zone}\n")

    def fill_disk(self) -> None:
        """Not a byte more can be written."""
        with open(self.path(FILLER), "wb", buffering=0) as file, suppress(OSError):
            while True:  # until ENOSPC
                file.write(bytes(1 << 20))
        with open(self.path(FILLER), "ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))

    def free_disk(self) -> None:
        """The opposite of `fill_disk`."""
        self.path(FILLER).unlink(missing_ok=True)

    def crontab(self, text: str, user: str = "root") -> None:
        """Install it as this user's crontab, by crontab(1) itself; the host must run."""
        done = self.run(["crontab", "-u", user, "-"], stdin=text)
        if done.code:
            raise ValueError(f"{self.name}: crontab refused it: {done.err}")

    # --- Its making ------------------------------------------------------------------------------------

    def _make_disk(self, size: str) -> None:
        disk = self.folder / "disk"
        for folder in (disk, self.root):
            folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "disk", disk], check=True)
        for part in ("upper", "work"):
            (disk / part).mkdir()
        for name in NOT_OURS:
            _hide(Path(name), disk / "upper")
        layers = f"lowerdir=/,upperdir={disk}/upper,workdir={disk}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", self.root], check=True)
        dev = self.root / "dev"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "dev", dev], check=True)
        for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
            os.mknod(dev / name, 0o020666, os.makedev(1, minor))
            (dev / name).chmod(0o666)
        os.mknod(dev / "tty", 0o020666, os.makedev(5, 0))
        (dev / "pts").mkdir()
        (dev / "shm").mkdir()
        streams = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
        for name, to in {"ptmx": "pts/ptmx", **streams}.items():
            (dev / name).symlink_to(to)

    def _furnish(self, zone: str) -> None:
        own = self.path(OWN)
        (own / "www").mkdir(parents=True)
        self.write(f"{OWN}/authorized_keys", self.bridge.public + "\n", 0o600)
        self.write("/etc/ssh/ssh_host_ed25519_key", (self.folder / "host_key").read_text(), 0o600)
        self.write("/etc/ssh/ssh_host_ed25519_key.pub", self.pin + "\n")
        self.write("/etc/ssh/sshd_config", sshd_conf(OWN, self.address, "/etc/ssh/ssh_host_ed25519_key"))
        self.write(f"{OWN}/nginx.conf", nginx_conf(OWN, self.address, self.name))
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
        rows = (self.root / "etc/shadow").read_text().splitlines()
        rows = ["root:*:19000:0:99999:7:::" if row.startswith("root:") else row for row in rows]
        self.write("/etc/shadow", "\n".join(rows) + "\n", 0o600)
        self.set_zone(zone)
        ends = ENDS.format(python=sys.executable)
        for name in ("reboot", "poweroff", "halt", "shutdown"):
            path = self.root / "usr/sbin" / name
            path.unlink(missing_ok=True)
            self.write(f"/usr/sbin/{name}", ends, 0o755)

    # --- Its boot --------------------------------------------------------------------------------------

    @property
    def _web(self) -> Path:
        return self.path(OWN)

    @property
    def _nginx_conf(self) -> Path:
        return Path(OWN, "nginx.conf")

    def _prepare(self) -> None:
        (self.folder / "boot_id").write_text(new_boot_id())
        cron = " ".join(f"{name}='{value}'" for name, value in self.cron_env.items())
        web = f"nginx -c {OWN}/nginx.conf &\n" if self.has_web else ""
        services = "\n".join(self.services)
        self.write(
            f"{OWN}/init",
            "#!/bin/sh\nmkdir -p /run/sshd /run/lock\n/usr/sbin/sshd -D -e &\n"
            f"{cron} cron -f &\n{web}{services}\n"
            "while :; do sleep 86400 & wait; done\n",
            0o755,
        )

    def _init_script(self) -> str:
        root = self.root
        binds = "".join(
            f"mkdir -p {root}{path}; mount --bind {path} {root}{path}; mount -o remount,bind,ro {root}{path}\n"
            for path in _elsewhere()
        )
        return (
            f"mount -t proc proc {root}/proc\n"
            f"mount --bind {self.folder}/boot_id {root}/proc/sys/kernel/random/boot_id\n"
            f"mount -t sysfs -o ro sysfs {root}/sys\nmount -t tmpfs -o mode=755 run {root}/run\n"
            f"mount -t tmpfs -o mode=1777 tmp {root}/tmp\nmount -t tmpfs -o mode=1777 shm {root}/dev/shm\n"
            f"mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts {root}/dev/pts\n{binds}"
            f"exec env -i PATH=\"$PATH\" LANG=C.UTF-8 chroot {root} {OWN}/init\n"
        )


def _elsewhere() -> list[Path]:
    """What a host needs at its path and the overlay does not show: another mount, or under what a boot clears."""
    device = os.stat("/").st_dev
    return [
        path
        for path in NEEDED
        if path.stat().st_dev != device or path.is_relative_to("/tmp") or path.is_relative_to("/run")
    ]


def _hide(path: Path, upper: Path) -> None:
    """In the overlay that `upper` will be: an empty folder for a folder, nothing for a file; never what we need.

    Written as overlayfs itself does (see its page in the kernel's documentation): an opaque folder, a whiteout.
    """
    if not os.path.lexists(path):
        return
    if any(needed.is_relative_to(path) for needed in NEEDED):
        for child in path.iterdir():
            if child not in NEEDED:
                _hide(child, upper)
    elif path.is_dir() and not path.is_symlink():
        _raise(path, upper)
        os.setxattr(upper / path.relative_to("/"), "trusted.overlay.opaque", b"y")
    else:
        _raise(path.parent, upper)
        os.mknod(upper / path.relative_to("/"), 0o020000, os.makedev(0, 0))


def _raise(folder: Path, upper: Path) -> None:
    """The folder is in the upper layer, with the lower one's owner and mode."""
    above = upper / folder.relative_to("/")
    if folder != Path("/"):
        _raise(folder.parent, upper)
        above.mkdir(exist_ok=True)
    like = folder.stat()
    os.chown(above, like.st_uid, like.st_gid)
    above.chmod(like.st_mode & 0o7777)
