"""Our servers in somebody's haproxy.cfg: everything else is kept byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.ports import Member
from providerscripts.balancers.rendering import default_config, haproxy_config, read_layout
from utilities.errors import DocumentFault

FOREIGN = """\
# site of Muster & S\udcfchne, latin-1 on purpose\r
global
\tmaxconn 2000
defaults
  mode http
  timeout connect 3s
  timeout client 3s
  timeout server 3s

frontend www
  bind 127.0.0.1:1
  default_backend web

backend web
  balance roundrobin
  server old1 10.9.9.9:80 check   # the legacy box
  option redispatch

# --- statistics ---
listen stats
  bind 127.0.0.1:2
  server web 10.9.9.8:80"""

A, B = Member("ws-web-1-0001", "10.0.0.2", 80), Member("ws-web-1-0002", "fd00::2", 8080)


def as_map(*members: Member) -> dict[str, Member]:
    return {m.name: m for m in members}


def test_a_block_is_made_at_the_end_of_the_backend_and_nothing_else_moves() -> None:
    layout = read_layout(FOREIGN, "web", "haproxy.cfg")
    assert layout.foreign == {"old1"}
    assert layout.members == {}
    text = layout.render(as_map(B, A), "weight 100")
    assert text == FOREIGN.replace(
        "  option redispatch\n",
        "  option redispatch\n"
        "  # autoscaler: begin (written by autoscaler; everything else in this file is yours)\n"
        "  server ws-web-1-0001 10.0.0.2:80 weight 100\n"
        "  server ws-web-1-0002 [fd00::2]:8080 weight 100\n"
        "  # autoscaler: end\n",
    )
    again = read_layout(text, "web", "haproxy.cfg")
    assert again.members == as_map(A, B)
    assert again.render(as_map(A, B), "weight 100") == text


@given(
    st.lists(st.sampled_from([Member(f"ws-web-1-{n:04d}", f"10.0.0.{n}", 80) for n in range(1, 9)])),
    st.randoms(),
)
def test_the_same_set_is_the_same_bytes(members: list[Member], chance: object) -> None:
    def one_by_one(order: list[Member]) -> str:
        text = FOREIGN
        for member in order:
            layout = read_layout(text, "web", "f")
            text = layout.render({**layout.members, member.name: member}, "weight 100")
        return text

    shuffled = members[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert one_by_one(members) == one_by_one(shuffled)
    if members:
        outside = [line for line in one_by_one(members).splitlines(keepends=True) if "ws-web" not in line]
        assert [line for line in outside if "autoscaler:" not in line] == FOREIGN.splitlines(keepends=True)


def test_a_listen_section_is_a_backend_too() -> None:
    assert read_layout(FOREIGN, "stats", "f").foreign == {"web"}
    text = read_layout(FOREIGN, "stats", "f").render(as_map(A), "")
    assert text.startswith(FOREIGN + "\n  # autoscaler: begin")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults\n mode http\n", "no `backend web`"),
        ("backend web\n balance leastconn\nbackend web\n", "line 3: backend web stands here again"),
        ("backend webs\nfrontend web\n", "no `backend web`"),
        ("backend web\n# autoscaler: begin\n", "line 2: '# autoscaler: begin'"),
        ("backend web\n# autoscaler: end\n# autoscaler: begin\n", "must stand here once"),
        ("backend web\n# autoscaler: begin\nbackend x\n# autoscaler: end\n", "found 1 begin and 0 end"),
        ("backend web\n# autoscaler: begin\n balance first\n# autoscaler: end\n", "line 3: only our servers"),
        (
            "backend web\n# autoscaler: begin\n server a example.org:80\n# autoscaler: end\n",
            "line 3: only our",
        ),
        (
            "backend web\n server a 1.1.1.1:1\n# autoscaler: begin\n server a 1.1.1.1:1\n# autoscaler: end\n",
            "beside",
        ),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DocumentFault, match=said):
        read_layout(text, "web", "haproxy.cfg")


@pytest.mark.debian("haproxy")
@pytest.mark.parametrize(
    "text",
    [
        default_config("*:80", "/run/haproxy/admin.sock", "web"),
        default_config("127.0.0.1:8080", "127.0.0.1:9999", "web", check=None, log="/dev/log"),
        haproxy_config("127.0.0.1", 8080, "/tmp/s", "web", log="stdout"),
        haproxy_config("::1", 8080, "/tmp/s", "web"),
    ],
)
def test_haproxy_takes_the_default_without_a_word(text: str, tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(read_layout(text, "web", "f").render(as_map(A, B), "weight 100 check inter 2s"))
    done = subprocess.run(["haproxy", "-c", "-f", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "WARNING" not in done.stdout
