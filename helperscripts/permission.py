"""Permission: may this user replace a file as Balancers do? Found out by reading alone."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

__all__ = ["hindrance"]


def hindrance(named: str | Path) -> str | None:
    """Why this user cannot replace the file whole, keeping its owner and group, and what helps; None when he can.

    The lock and the next version lie beside it, so its folder counts first. A link is followed.
    """
    path = Path(os.path.realpath(named))
    me = _user(os.geteuid())
    cannot = f"{path} cannot be written by {me}"
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent  # what is missing is made
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return f"{cannot}: a new one is made in {folder}, which belongs to {_owner(folder)}: chown {me} {folder}"
    for beside in (path, path.with_name(path.name + ".lock")):
        if not beside.exists():
            continue
        if not beside.is_file():
            return f"{cannot}: {beside} is no file"
        if not os.access(beside, os.R_OK | os.W_OK, effective_ids=True):
            return f"{cannot}: {beside} belongs to {_owner(beside)}: chown {me} {beside}"
    if os.geteuid() != 0 and path.exists():
        told = path.stat()
        if told.st_uid != os.geteuid():
            return f"{cannot}: it belongs to {_owner(path)}, and only root may keep that owner: chown {me} {path}"
        if told.st_gid not in (os.getegid(), *os.getgroups()):
            group = _group(os.getegid())
            return f"{cannot}: its group is {_group(told.st_gid)}, and {me} is not in it: chown {me}:{group} {path}"
    return None


def _owner(path: Path) -> str:
    told = path.stat()
    return f"{_user(told.st_uid)}:{_group(told.st_gid)}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
