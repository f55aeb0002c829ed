"""haproxy.cfg: the default one, and our servers in a marked block of a backend of anybody's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.ports import Member
from providerscripts.balancers.block import find_block, lines_of, with_block
from providerscripts.balancers.members import socket_address
from utilities.errors import DocumentFault, Fault

__all__ = ["Layout", "default_config", "haproxy_config", "read_layout", "server_words"]

_SECTION = re.compile(
    r"\s*(global|defaults|frontend|backend|listen|peers|resolvers|mailers|userlist|cache|program|ring|"
    r"http-errors|fcgi-app|log-forward|log-profile|crt-store|traces|acme)(\s+(?P<name>[^\s#]+))?(\s|$)"
)
_SERVER = re.compile(r"\s*server\s+(?P<name>\S+)\s+(?P<at>\S+)")
_AT = re.compile(r"\[?(?P<address>[0-9A-Fa-f.:]+?)\]?:(?P<port>[0-9]{1,5})")


def server_words(check: bool, inter: str, extra: str = "") -> str:
    """What follows `server NAME ADDRESS:PORT`, the same in the file and at run time.

    Weight 100: with HAProxy's default of 1, a `50%` at run time would round to 0, and 0 means no visitor.
    """
    return " ".join(w for w in ("weight 100", f"check inter {inter}" if check else "", extra) if w)


@dataclass(frozen=True)
class Layout:
    """A config read for one backend: where our block stands or would, who is in it and who beside it."""

    lines: tuple[str, ...]
    at: tuple[int, int] | int
    indent: str
    members: Mapping[str, Member]
    foreign: frozenset[str]  # names of servers in hand-written lines of this backend

    def render(self, members: Mapping[str, Member], words: str) -> str:
        """The whole file with exactly these members, sorted: the same bytes from every node."""
        block = [
            f"{self.indent}server {m.name} {socket_address(m)}{' ' + words if words else ''}"
            for _, m in sorted(members.items())
        ]
        return with_block(self.lines, self.at, block, self.indent)


def read_layout(text: str, backend: str, where: str) -> Layout:
    """DocumentFault, with all faults, when the backend is missing, doubled, or its block is broken."""
    lines = lines_of(text)
    heads = [(i, head) for i, line in enumerate(lines) if (head := _SECTION.match(line))]
    ours = [i for i, head in heads if head[1] in ("backend", "listen") and head["name"] == backend]
    if len(ours) != 1:
        again: list[Fault | str] = [Fault(i + 1, f"backend {backend} stands here again") for i in ours[1:]]
        raise DocumentFault(where, again or [f"there is no `backend {backend}` or `listen {backend}` in it"])
    start = ours[0] + 1
    stop = next((i for i, _ in heads if i >= start), len(lines))
    found = find_block(lines, start, stop)
    if isinstance(found, list):
        raise DocumentFault(where, found)
    last = max((i for i in range(start, stop) if _is_code(lines[i])), default=start - 1)
    indent = _indent(lines[last]) if last >= start else "    "
    inside = range(found[0] + 1, found[1]) if found else range(0)
    members: dict[str, Member] = {}
    foreign: set[str] = set()
    wrong: list[Fault] = []
    for index in range(start, stop):
        server = _SERVER.match(lines[index])
        if index not in inside:
            if server:
                foreign.add(server["name"])
        elif _is_code(lines[index]):
            at = _AT.fullmatch(server["at"]) if server else None
            if server is None or at is None or server["name"] in members:
                wrong.append(
                    Fault(index + 1, f"only our servers may stand in our block, not {lines[index].strip()!r}")
                )
            else:
                members[server["name"]] = Member(server["name"], at["address"], int(at["port"]))
    wrong += [Fault(0, f"server {n} stands in our block and beside it") for n in sorted(foreign & set(members))]
    if wrong:
        raise DocumentFault(where, wrong)
    if found:
        indent = _indent(lines[found[0]])
    return Layout(tuple(lines), found or last + 1, indent, members, frozenset(foreign))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


_GLOBAL = """\
global
    stats socket {socket} level admin expose-fd listeners{mode}
    stats timeout 30s
    # After a reload the old process ends when its last request has, or after this.
    hard-stop-after 10m
"""

_DEFAULTS = """
defaults
    mode http
    timeout connect 3s
    timeout client 30s
    timeout server 60s
    timeout queue 10s
    timeout http-request 10s
    timeout http-keep-alive 15s
    # A visitor's idle connection is closed with its next answer, not in its face, when HAProxy is reloaded.
    option idle-close-on-response
    # One webserver's death is not a visitor's: what brought no answer yet is asked of another one.
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response response-timeout
    http-reuse safe
"""

_FRONTEND = """
frontend visitors
    bind {bind}
    # A POST may have taken effect before its webserver died: it is never sent twice.
    http-request disable-l7-retry if METH_POST
    default_backend {backend}
"""

_BACKEND = """
backend {backend}
    balance leastconn
{check}    # autoscaler: begin (written by autoscaler; everything else in this file is yours)
    # autoscaler: end
"""

#: One line for each request: when, who asked, which webserver answered, status, milliseconds, how the session
#: ended (`--` is well; a letter tells whose fault it was), retries (with `+`: on another webserver), what was
#: asked. Status -1 means that the visitor went away first.
_LOG = """    log {target} format raw local0
    log-format "%[date(0,ms)] %ci:%cp %b/%s %ST %Ta %tsc %rc %{{+Q}}r"
"""


def default_config(bind: str, socket: str, backend: str, check: str | None = "/", log: str = "") -> str:
    """A whole haproxy.cfg with no server yet.

    `bind` is `*:80` or `127.0.0.1:8080`; `log` a target of HAProxy's (`stdout`, `/dev/log`, `127.0.0.1:514`),
    or empty for no access log.
    """
    probe = f"    option httpchk GET {check}\n    http-check expect status 200-399\n" if check else ""
    mode = " mode 600" if "/" in socket else ""
    parts = [
        _GLOBAL.format(socket=socket if "/" in socket else f"ipv4@{socket}", mode=mode),
        _DEFAULTS,
        _LOG.format(target=log) if log else "",
        _FRONTEND.format(bind=bind, backend=backend),
        _BACKEND.format(backend=backend, check=probe),
    ]
    return "".join(parts)


def haproxy_config(
    frontend_address: str,
    frontend_port: int,
    socket: str,
    backend: str,
    log: str | None = None,
    check: str | None = "/",
) -> str:
    """A complete config for an unprivileged HAProxy on this address, e.g. for a demonstration on loopback.

    With `log="stdout"` run `haproxy -W -S MASTER.sock -f FILE` with its stdout in a file: one line a request.
    """
    address = f"[{frontend_address}]" if ":" in frontend_address else frontend_address
    return default_config(f"{address}:{frontend_port}", socket, backend, check, log or "")
