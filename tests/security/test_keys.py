"""Our SSH key pair."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from security.keys import make_pair, public_line, read_key
from utilities.errors import HeldElsewhere, Unreachable


def test_a_pair_is_made_read_and_matches(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "id"
    line = make_pair(path, "node 1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys" / "id.pub").stat().st_mode) == 0o644
    assert (tmp_path / "keys" / "id.pub").read_text() == line + "\n"
    assert line.startswith("ssh-ed25519 ")
    assert line.endswith(" node 1")
    assert public_line(path) == " ".join(line.split()[:2])


@pytest.mark.debian("ssh-keygen")
def test_openssh_reads_it(tmp_path: Path) -> None:
    line = make_pair(tmp_path / "id")
    shown = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / "id"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[:2] == line.split()[:2]


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    make_pair(tmp_path / "id")
    before = (tmp_path / "id").read_bytes()
    with pytest.raises(HeldElsewhere):
        make_pair(tmp_path / "id")
    assert (tmp_path / "id").read_bytes() == before


def test_what_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "id"
    with pytest.raises(Unreachable, match="does not exist"):
        read_key(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(Unreachable, match="holds no private key"):
        read_key(path)
    path.unlink()
    make_pair(path)
    path.chmod(0o640)
    with pytest.raises(Unreachable, match="read by others"):
        read_key(path)
    shutil.copy(tmp_path / "id.pub", tmp_path / "public")
    (tmp_path / "public").chmod(0o600)
    with pytest.raises(Unreachable, match="holds no private key"):
        read_key(tmp_path / "public")


@pytest.mark.debian("ssh-keygen")
@pytest.mark.parametrize(
    "options", [("-t", "ed25519"), ("-t", "rsa", "-b", "2048"), ("-t", "rsa", "-b", "2048", "-m", "PEM")]
)
def test_a_locked_key_is_told_so(tmp_path: Path, options: tuple[str, ...]) -> None:
    subprocess.run(["ssh-keygen", "-q", "-N", "pass phrase", "-f", tmp_path / "id", *options], check=True)
    with pytest.raises(Unreachable, match="passphrase"):
        read_key(tmp_path / "id")


@pytest.mark.debian("ssh-keygen")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_of_openssh_are_read(tmp_path: Path, kind: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", tmp_path / "id"], check=True)
    assert public_line(tmp_path / "id") == " ".join((tmp_path / "id.pub").read_text().split()[:2])
