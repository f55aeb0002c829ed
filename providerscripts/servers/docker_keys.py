"""Host keys: what a container's sshd will show, read out of the container by way of the engine."""

from __future__ import annotations

import io
import json
import os
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from providerscripts.servers.docker_engine import Engine, status_of

__all__ = ["HostKeys"]

FILE = "/etc/ssh/ssh_host_ed25519_key.pub"
MOST = 16384  # bytes of an archive that holds one line
GROWN_UP = 900.0  # seconds after which a container without a key is believed to have no sshd


class HostKeys:
    """Asked once for each container; `path` keeps them from one tick to the next, None: nothing is kept."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self._engine, self._path = engine, path
        self._known = _read(path)

    def of(self, id: str, age: float) -> str | None:
        """The key of a running container, "<type> <base64>"; None when there is no such file yet.

        ProviderUnreachable when the engine does not answer.
        """
        if id not in self._known:
            key = self._asked(id)
            if key is None and age < GROWN_UP:
                return None
            self._known[id] = key or ""
            self._keep()
        return self._known[id] or None

    def forget_all_but(self, ids: set[str]) -> None:
        """Those of containers that are gone."""
        if not self._known.keys() <= ids:
            self._known = {id: key for id, key in self._known.items() if id in ids}
            self._keep()

    def _asked(self, id: str) -> str | None:
        def archive(client: Any) -> bytes:
            stream, _ = client.get_archive(id, FILE)
            whole = b""
            for part in stream:
                whole += part
                if len(whole) > MOST:
                    return b""
            return whole

        try:
            return _line(self._engine.ask(archive))
        except Exception as err:
            if status_of(err) in (404, 409):  # no such file; or it is being removed at this moment
                return None
            raise

    def _keep(self) -> None:
        """What is kept saves requests only: a disk that takes nothing is no reason to stop."""
        if self._path is not None:
            beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                beside.write_text(json.dumps(self._known))
                os.replace(beside, self._path)


def _line(archive: bytes) -> str | None:
    """The key in a tar of the one file; None for anything else."""
    with suppress(tarfile.TarError, UnicodeDecodeError), tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            words = file.read(MOST).decode().split() if file else []
            if len(words) >= 2 and words[0].startswith(("ssh-", "ecdsa-")):
                return f"{words[0]} {words[1]}"
    return None


def _read(path: Path | None) -> dict[str, str]:
    if path is not None:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text())
            if isinstance(found, dict) and all(isinstance(v, str) for v in found.values()):
                return found
    return {}
