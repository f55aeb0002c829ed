"""The SSH server of a local webserver: OpenSSH's sshd where it can serve, else one built on paramiko.

Both let in this user's own account with a key of `authorized_keys`, and run what they are asked with the
webserver's `home/` as HOME and working directory. So the marker of the rung `built` is the relative path
READY, the same for every local webserver.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path

from providerscripts.servers.local_directory import write_own
from utilities.errors import AskerErred

__all__ = ["authorized", "login_user", "make_key", "prepare"]

ROOT = Path(__file__).resolve().parent.parent.parent  # where the packages stand


def login_user() -> str:
    """The account to log in as: the one this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "user"  # no account: only the paramiko-built server can serve, and it takes any name


def make_key(path: Path) -> str:
    """A new ed25519 key at `path`, readable by its owner only; its public line "ssh-ed25519 AAAA...\""""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(private)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def authorized(given: str, directory: Path) -> str:
    """The public key lines to let in: `given` itself, the file it names, or a login key made here once."""
    if given.lstrip().startswith(("ssh-", "ecdsa-", "sk-")):
        return given.strip() + "\n"
    if given:
        try:
            return Path(given).expanduser().read_text()
        except OSError as err:
            raise AskerErred(f"authorized_keys: {given} is no public key and cannot be read: {err}") from None
    private = directory / "login_key"
    if not private.exists():
        # Creates run side by side: whoever links first has made the key, the others let it in too.
        new = directory / f".login_key-{uuid.uuid4().hex}"
        try:
            make_key(new)
            os.link(new, private)
        except FileExistsError:
            pass
        finally:
            new.unlink(missing_ok=True)
    return _public_of(private)


def _public_of(private: Path) -> str:
    """The key's own public line; kept beside it for people, and never read from there."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

    key = load_ssh_private_key(private.read_bytes(), None).public_key()
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"
    public = private.with_suffix(".pub")
    if not public.exists():
        new = private.with_name(f".login_key-{uuid.uuid4().hex}.pub")
        write_own(new, line)
        os.replace(new, public)
    return line


def prepare(folder: Path, final: Path, address: str, port: int, keys: str, kind: str) -> tuple[str, list[str]]:
    """Write the server's files into `folder`, which will be `final`; (public host key, what to run).

    `kind` is auto, openssh, paramiko or none. AskerErred when openssh is wished and cannot serve here.
    """
    host_key = make_key(folder / "host_key")
    write_own(folder / "authorized_keys", keys)
    home = shlex.quote(str(final / "home"))
    write_own(
        folder / "shell",
        f"cd {home} && export HOME={home} || exit 255\n"
        'if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"; fi\n'
        'exec "${SHELL:-/bin/sh}"\n',
    )
    write_own(folder / "sshd_config", _config(final, address, port))
    if kind == "none":
        return host_key, []
    program, why = openssh()
    if kind == "openssh" and program is None:
        raise AskerErred(f"OpenSSH's sshd cannot serve here: {why}")
    if kind == "paramiko" or program is None:
        begin = "import sys; sys.path.insert(0, sys.argv[1]); from providerscripts.servers.local_sshd import main"
        return host_key, [
            sys.executable,
            "-c",
            f"{begin}; main(*sys.argv[2:])",
            str(ROOT),
            str(final),
            address,
            str(port),
        ]
    return host_key, [program, "-D", "-e", "-f", str(final / "sshd_config")]


def _config(final: Path, address: str, port: int) -> str:
    # HOME twice: SetEnv keeps the account's own shell start-up files out, ForceCommand also sets the folder.
    sftp = next(
        (p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server") if Path(p).exists()),
        "",
    )
    return "\n".join(
        [
            f"ListenAddress {address}:{port}",
            f"HostKey {final}/host_key",
            "PidFile none",
            f"AuthorizedKeysFile {final}/authorized_keys",
            f"AllowUsers {login_user()}",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PrintMotd no",
            "PrintLastLog no",
            "MaxStartups 100",
            f"SetEnv HOME={final}/home",
            f"ForceCommand exec /bin/sh {shlex.quote(str(final / 'shell'))}",
            *([f"Subsystem sftp {sftp}"] if sftp else []),
            "",
        ]
    )


@cache
def openssh() -> tuple[str | None, str]:
    """(the program, "") where OpenSSH's sshd can serve as this user, else (None, why not)."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    program = shutil.which("sshd", path=path)
    if program is None:
        return None, "it is not installed (Debian: openssh-server)"
    try:
        shell = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return None, "this user has no account"
    if shell.endswith(("/nologin", "/false")):
        return None, f"this user's shell is {shell}"
    if os.getuid() == 0:
        why = _root_hinders()
        if why:
            return None, why
    try:
        asked = subprocess.run([program, "-V"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        return None, f"{program}: {err}"
    said = (asked.stderr + asked.stdout).decode(errors="replace")
    return (program, "") if "OpenSSH" in said else (None, f"{program} is not OpenSSH")


def _root_hinders() -> str:
    """Run by root, sshd wants more than its configuration says."""
    try:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    except OSError as err:
        return f"/run/sshd cannot be made: {err}"
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        return "there is no user sshd"
    try:
        line = next((x for x in Path("/etc/shadow").read_text().splitlines() if x.startswith("root:")), "")
    except OSError:
        return "/etc/shadow cannot be read, so sshd takes root's account for locked"
    return "root's account is locked" if line.split(":")[1:2] and line.split(":")[1].startswith("!") else ""
