"""The disk under a file Store: its errors in words, and the steps that must reach it."""

from __future__ import annotations

import errno
import hashlib
import os

from utilities.instant import Instant

__all__ = ["REFUSALS", "stamp", "sync_folder", "told", "version_of", "whole"]


#: What a write that ends so has certainly not done, while its new name does not stand.
REFUSALS = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR,
    errno.ENOENT,
})


def told(err: OSError, root: str) -> str:
    """What the operating system said, with the way out."""
    path = err.filename2 or err.filename or root
    match err.errno:
        case errno.ENOSPC:
            return "its disk is full; free some space there, what was stored before is still readable"
        case errno.EDQUOT:
            return "the quota is used up; free some space, what was stored before is still readable"
        case errno.EFBIG:
            return "this process may not write so large a file; raise its limit (ulimit -f)"
        case errno.EROFS:
            return "it is mounted read-only; remount it writable, or name another folder"
        case errno.EACCES | errno.EPERM:
            return f"user id {os.geteuid()} may not, at {path}; give it the rights, or run as the owner"
        case errno.ENOTDIR:
            return f"{path} goes through a plain file; move that file away, or name another folder"
        case errno.EISDIR:
            return f"{path} is a folder of other objects; move that folder away"
        case errno.ENOENT:
            return f"it is not there; mount it, or make it with: mkdir -p {root}"
        case errno.EOPNOTSUPP | errno.ENOSYS | errno.EMLINK:
            return f"its file system does not do that ({err.strerror}); use one with hard links and locks"
    return f"{err.strerror or err} ({path}); whether anything was changed is unknown"


def whole(path: str) -> tuple[bytes, Instant]:
    """Body and time of change of one and the same file, whatever is renamed over it meanwhile."""
    with open(path, "rb") as file:
        return file.read(), Instant(os.fstat(file.fileno()).st_mtime)


def version_of(body: bytes) -> str:
    """A hash of the content."""
    return hashlib.sha256(body).hexdigest()


def stamp(temp: str) -> Instant:
    """Sets its time of change to now by the file system's clock: a wait for the lock must not age it."""
    os.utime(temp)
    return Instant(os.stat(temp).st_mtime)


def sync_folder(folder: str) -> None:
    """See the names in this folder onto the disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # gone with its last key: nothing left to make last
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
