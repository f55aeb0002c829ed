"""The directory of the local webservers: is it there, and is it what a create once made?"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path

from autoscaler.ports import ProviderUnreachable

__all__ = ["MARK", "made", "make_directory", "unfit", "write_own"]

MARK = "local-provider"
_PLAIN = re.compile(r"[A-Za-z0-9/._+@,:=-]+")  # what sshd's and nginx's files take without quoting


def unfit(directory: Path) -> str:
    """Why webservers cannot live there; empty when they can."""
    if not directory.is_absolute():
        return f"directory: expected a path that begins with /, found {directory}: cron starts elsewhere than you do"
    if not _PLAIN.fullmatch(str(directory)):
        return f"directory: expected a path without blanks or quotes, found {str(directory)!r}"
    return ""


def make_directory(directory: Path) -> None:
    """The directory, whole from its first instant; nothing when it is there. ProviderUnreachable."""
    if made(directory):
        return
    new = directory.with_name(f".{directory.name}.new-{uuid.uuid4().hex}")
    try:
        for parent in reversed(directory.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        new.mkdir(mode=0o700)
        (new / "servers").mkdir(mode=0o700)
        write_own(new / MARK, "The folders of `servers` are webservers of this machine: see the local provider.\n")
        os.rename(new, directory)
    except OSError as err:
        if not made(directory):  # else another create was faster
            raise ProviderUnreachable(f"{directory} cannot be made: {err}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def made(directory: Path) -> bool:
    """Did a create make it? False when nothing is there. ProviderUnreachable when something else is."""
    for _ in range(2):  # twice, for it may be made between our two looks
        try:
            (directory / MARK).lstat()
            return True
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            raise ProviderUnreachable(f"{directory} is no folder, or stands below a plain file") from None
        except OSError as err:
            raise ProviderUnreachable(f"{directory} cannot be read: {err}") from None
        try:
            directory.lstat()
        except FileNotFoundError:
            return False
        except OSError as err:
            raise ProviderUnreachable(f"{directory} cannot be read: {err}") from None
    raise ProviderUnreachable(
        f"{directory} is there without the file {MARK} that the first create makes in it, so who is missing there "
        f"is not known: mount its disk, or bring it back; if nothing was ever made there, remove it (rmdir "
        f"{directory}), and the next create makes it"
    )


def write_own(path: Path, text: str) -> None:
    """Write a file that only its owner may read or change."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
