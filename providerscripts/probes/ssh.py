"""`known` and `built`: is it the webserver we pinned, and is it built?"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Ssh
from providerscripts.remote.place import heard_of
from providerscripts.remote.session import NotSsh, OtherKey, Rejected, Session, open_session
from security.pins import Pin
from utilities.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

__all__ = ["built", "command", "judge", "known"]

_LINE = re.compile(r"^autoscaler-(marker|service|disk|inodes|load|end)=(.*?)\s*$", re.MULTILINE)


def known(
    target: Target,
    ssh: Ssh,
    key: paramiko.PKey,
    until: float,
    then: Callable[[Session, Reading], None] = lambda _session, _reading: None,
) -> Reading:
    """Banner, key exchange, the pinned host key, and only then the login; all until the monotonic `until`.

    `then` gets the session of a GOOD one before it is closed.
    """
    started = time.monotonic()

    def ask(session: Session) -> tuple[Heard, str]:
        spent = (time.monotonic() - started) * 1000
        then(session, Reading(RungName.KNOWN, Heard.GOOD, "", spent))
        return Heard.GOOD, ""

    heard, detail = _logged_in(target, ssh, key, until, ask)
    return Reading(RungName.KNOWN, heard, detail, (time.monotonic() - started) * 1000)


def built(target: Target, ssh: Ssh, key: paramiko.PKey, until: float, session: Session | None = None) -> Reading:
    """Marker, service, disk and load by one command, in `session` where one is logged in already."""
    started = time.monotonic()

    def ask(session: Session) -> tuple[Heard, str]:
        return judge(session.run(command(ssh), until)[1], ssh)

    heard, detail = _said(lambda: ask(session)) if session else _logged_in(target, ssh, key, until, ask)
    return Reading(RungName.BUILT, heard, detail, (time.monotonic() - started) * 1000)


def command(ssh: Ssh) -> str:
    """The one command of `built`, for any login shell: POSIX sh on one line, quoted once.

    The marker is found from the login's home, or absolute. Each line of its answer is marked, for a login
    shell may greet with anything.
    """
    # what hangs is ended there, too: sshd leaves it running when we go, and the next Round would add another
    asks = ["export LC_ALL=C", "cd", 'limit="timeout 9"', "command -v timeout >/dev/null || limit="]
    if ssh.marker:
        marker = shlex.quote(ssh.marker.removeprefix("~/"))
        asks.append(f"if test -e {marker}; then echo autoscaler-marker=yes; else echo autoscaler-marker=no; fi")
    if ssh.service:
        asks.append(
            f'echo "autoscaler-service=$($limit systemctl is-active -- {shlex.quote(ssh.service)} 2>/dev/null)"'
        )
    # GNU's df tells both at once, which costs the webserver half as much; any other is asked twice
    twice = [
        f"$limit df -P{option} / 2>/dev/null | while read -r fs size used free full rest; do "
        f'case $full in [0-9]*%) echo "autoscaler-{name}=$full";; esac; done'
        for name, option in (("disk", ""), ("inodes", "i"))
    ]
    asks.append("set -- $($limit df --output=pcent,ipcent / 2>/dev/null)")
    asks.append(
        f'case "$# $3" in "4 "[0-9]*%) echo "autoscaler-disk=$3"; '
        f'case $4 in [0-9]*%) echo "autoscaler-inodes=$4";; esac;; *) {"; ".join(twice)};; esac'
    )
    asks += ["read -r one five fifteen rest < /proc/loadavg", 'echo "autoscaler-load=$one $five $fifteen"']
    asks.append("echo autoscaler-end=1")
    return "exec sh -c " + shlex.quote("; ".join(asks))


def judge(output: str, ssh: Ssh) -> tuple[Heard, str]:
    """What the command's output means. What was asked and not answered is UNKNOWN, never GOOD."""
    said = dict(_LINE.findall(output))
    if "end" not in said:
        return Heard.UNKNOWN, f"odd answer to the command: {' '.join(output.split())[:100]!r}"
    if ssh.marker and said.get("marker") != "yes":
        return Heard.NOT_YET, f"its ready marker {ssh.marker} is missing"
    service = said.get("service", "")
    if ssh.service and service and service not in ("active", "reloading"):
        return Heard.BAD, f"service {ssh.service} is {service}"
    full = {name: int(said[name].rstrip("%")) for name in ("disk", "inodes") if name in said}
    for name, percent in full.items():
        if percent > ssh.disk_percent:
            return Heard.BAD, f"{name} {percent} % full"
    if ssh.service and not service:
        return Heard.UNKNOWN, f"service {ssh.service} cannot be asked: systemctl gave no answer"
    if "disk" not in full:
        return Heard.UNKNOWN, "its disk cannot be asked: df gave no answer"
    return Heard.GOOD, f"load {said.get('load') or 'unknown'}, disk {full['disk']} %"


def _logged_in(
    target: Target, ssh: Ssh, key: paramiko.PKey, until: float, ask: Callable[[Session], tuple[Heard, str]]
) -> tuple[Heard, str]:
    if target.pin is None:
        return Heard.UNKNOWN, "no pin"
    try:
        pin = Pin.parse(target.pin)
    except ValueError as err:
        return Heard.UNKNOWN, str(err)

    def visit() -> tuple[Heard, str]:
        session = open_session(target.address, target.ssh_port, until, pin.kind)
        try:
            session.login(ssh.user, key, pin, until)
            return ask(session)
        finally:
            session.close()

    return _said(visit)


def _said(visit: Callable[[], tuple[Heard, str]]) -> tuple[Heard, str]:
    try:
        return visit()
    except OtherKey as err:
        return Heard.OTHER_KEY, str(err)
    except (Rejected, NotSsh) as err:
        return Heard.BAD, str(err)
    except Unreachable as err:
        return Heard.UNKNOWN, str(err)
    except OSError as err:
        return heard_of(err)
