"""Pins of host keys."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.keys import make_pair
from security.pins import Pin


def line(kind: str, body: bytes) -> str:
    return f"{kind} " + base64.b64encode(len(kind).to_bytes(4, "big") + kind.encode() + body).decode()


@given(st.from_regex(r"[a-z0-9@.-]{1,40}", fullmatch=True), st.binary(max_size=300))
def test_a_pin_is_written_as_it_was_read(kind: str, body: bytes) -> None:
    pin = Pin.parse(line(kind, body))
    assert pin.kind == kind
    assert str(pin) == line(kind, body)
    assert Pin.parse(f"  {pin}  root@web-1 \n").same(pin)


@given(st.binary(min_size=1, max_size=60), st.integers(min_value=0))
def test_a_single_other_bit_is_another_key(body: bytes, place: int) -> None:
    pin = Pin.parse(line("ssh-ed25519", body))
    place %= len(body) * 8
    other = bytearray(body)
    other[place // 8] ^= 1 << place % 8
    assert not pin.same(Pin.parse(line("ssh-ed25519", bytes(other))))
    assert not pin.same(Pin.parse(line("ssh-rsa", body)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 ***",
        "ssh-ed25519 AAAA",
        "AAAAC3 ssh-ed25519",
        line("ssh-rsa", b"x").replace("rsa", "dss", 1),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="pin"):
        Pin.parse(text)


@pytest.mark.debian("ssh-keygen")
def test_its_fingerprint_is_openssh_s(tmp_path: Path) -> None:
    pin = Pin.parse(make_pair(tmp_path / "id"))
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "id.pub"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[1] == pin.fingerprint
