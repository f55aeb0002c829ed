"""What the hosts' sshd and nginx are told."""

from __future__ import annotations


def nginx_conf(folder: str, address: str, name: str) -> str:
    """nginx, its files in `folder`; `/health` tells its name, the flag `sick-500` or `sick-503` is all it says."""
    spools = "".join(
        f" {kind}_temp_path {folder}/spool-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    sick = "".join(f"  if (-f {folder}/sick-{code}) {{ return {code}; }}\n" for code in (500, 503))
    return (
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;\n"
        f"events {{ worker_connections 256; }}\n"
        f"http {{ access_log off;{spools}\n"
        f" server {{ listen {address}:80; root {folder}/www; default_type text/plain;\n{sick}"
        f"  location = /health {{ return 200 'ok {name}\\n'; }}\n"
        f"  location = / {{ return 200 '{name}\\n'; }}\n }}\n}}\n"
    )


def sshd_conf(folder: str, address: str, host_key: str) -> str:
    """sshd with every file in `folder`; nothing of the machine's own configuration."""
    return (
        f"Port 22\nListenAddress {address}\nHostKey {host_key}\nPidFile {folder}/sshd.pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nUsePAM no\nPasswordAuthentication no\nStrictModes no\n"
        "PermitRootLogin yes\nPermitUserRC no\nUseDNS no\nMaxStartups 100\nLogLevel ERROR\n"
        "Subsystem sftp internal-sftp\n"
    )
