"""Host keys from EC2's console output, where cloud-init prints them at the first boot.

A console is asked only for one that runs, was launched lately, and whose key nobody of this node has read yet: what
was read lies in a file of the node, so an idle listing asks none. Who may not read consoles has no keys; that keeps
nobody from listing.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from providerscripts.amazon.no import errors, heard
from security.pins import Pin

__all__ = ["WINDOW", "HostKeys", "key_in"]

WINDOW = 1800.0  # seconds after its launch; a webserver is built, and its key in its record, long before
_AT_MOST = 20  # consoles in one listing; the next one asks for the rest
_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
_BEST = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def key_in(console: str) -> str | None:
    """"<type> <base64>" out of the first whole block: what is printed later, a program of its users may have printed.

    Some consoles put a time before each line. None: there is no such block yet.
    """
    found: dict[str, str] = {}
    inside = False
    for line in console.splitlines():
        if _BEGIN in line:
            inside, found = True, {}
        elif _END in line and inside:
            break
        elif inside:
            words = line.split()
            at = next((i for i, word in enumerate(words) if word in _BEST), None)
            if at is not None:
                with suppress(ValueError):  # cut off, or no key
                    found[words[at]] = str(Pin.parse(" ".join(words[at : at + 2])))
    else:
        return None
    return next((found[kind] for kind in _BEST if kind in found), None)


class HostKeys:
    """Of one pool's instances. `path` None: this process alone remembers."""

    def __init__(self, client: Callable[[], Any], path: Path | None) -> None:
        self._client, self._path = client, path
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._read = False

    def of(self, ids: Iterable[str], fresh: Iterable[str], complete: bool) -> dict[str, str]:
        """The keys of those that are known; for `fresh` ones the console is asked.

        `complete`: `ids` are all there are, and of others nothing needs to be remembered.
        """
        ids = list(ids)
        with self._lock:
            self._load()
            known = dict(self._known)
        asked = [i for i in fresh if i not in known][:_AT_MOST]
        new = self._asked(asked)
        kept = {i: k for i, k in {**known, **new}.items() if not complete or i in ids}
        if kept != known:
            with self._lock:
                self._known = kept
                self._save()
        return {i: kept[i] for i in ids if i in kept}

    def _asked(self, ids: list[str]) -> dict[str, str]:
        found = {}
        try:
            for id in ids:
                key = key_in(self._console(id))
                if key is not None:
                    found[id] = key
        except errors():
            pass  # not permitted, or not now: no key is known, which is what `host_key` None says
        return found

    def _console(self, id: str) -> str:
        from botocore.exceptions import ClientError

        try:
            answer = self._client().get_console_output(InstanceId=id, Latest=True)
        except ClientError as err:
            if heard(err).code != "UnsupportedOperation":
                raise
            answer = self._client().get_console_output(InstanceId=id)  # not on the Nitro hypervisor
        output = str(answer.get("Output") or "")
        if _BEGIN in output or not output.strip():
            return output
        with suppress(binascii.Error, ValueError):  # boto3 decodes it; endpoints of others may have it twice
            return base64.b64decode(output, validate=True).decode(errors="replace")
        return output

    def _load(self) -> None:
        if self._read or self._path is None:
            return
        self._read = True
        try:
            plain = json.loads(self._path.read_bytes())
            self._known = {str(i): str(Pin.parse(k)) for i, k in plain.items()}
        except (OSError, ValueError, AttributeError):
            self._known = {}  # none yet, or cut off: the consoles tell again

    def _save(self) -> None:
        if self._path is None:
            return
        with suppress(OSError):  # a full disk: the next process asks the consoles
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            with os.fdopen(handle, "w") as file:
                json.dump(self._known, file)
            os.replace(name, self._path)
