"""A Store in a directory: link(2) for create, lock + compare + rename for swap. Shared mounts (NFS) do too.

Readers never lock: a file appears and changes only by link and rename, so it is always whole. Every change
of an existing file is made under a lock of the kernel, which is freed when its holder dies, however it
dies. Unfinished writes lie in `.tmp`, which no key can reach; what a killed writer leaves there is swept
after an hour.

The version is a plain hash of the content, as an S3 ETag is: it needs nothing but the bytes that were
read, survives a restored backup, and cannot differ from the body it came with. That equal bytes bear equal
versions is harmless: a swap over bytes equal to those read does what its caller meant.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoscaler.ports import Conditional, LostRace, Stored, StoreRefused, StoreUnreachable, Written
from providerscripts.store.disk import REFUSALS, stamp, sync_folder, told, version_of, whole
from providerscripts.store.key import checked, checked_prefix
from utilities.instant import Instant

__all__ = ["FileStore"]

_LOCKS = 64  # a fixed number, never removed: else two writers could hold two files of one name
_PATIENCE = 30.0  # seconds to wait for a lock; its holder needs milliseconds, unless it or its disk hangs
_LEFTOVER = 3600.0  # seconds after which an unfinished write is a dead process's


class FileStore:
    """Objects are files below `root`, a `/` in a key is a folder.

    The root must exist, unless `make`: a directory that vanished (an unmounted share) must not look like an
    empty Store. What goes wrong with the disk is a StoreUnreachable that names the path and the way out; the
    object as it was stays readable, unless the sentence says that the outcome is unknown.
    """

    def __init__(self, root: str | Path, make: bool = False) -> None:
        self.root = os.path.abspath(root)
        self.where = "file://" + self.root
        self.conditional = Conditional.YES
        self._tmp = os.path.join(self.root, ".tmp")
        self._swept = False
        if make:
            with self._clear("make"):
                os.makedirs(self.root, exist_ok=True)

    def get(self, key: str) -> Stored | None:
        """The object, or None when it is certainly not there. StoreUnreachable."""
        path = self._path(key)
        with self._clear(f"read {key} in"):
            try:
                body, modified = whole(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._must_be_there()
                return None
            return Stored(key, body, version_of(body), modified, self._now(modified))

    def create(self, key: str, body: bytes) -> Written:
        """Write only if absent. LostRace when present. StoreUnreachable."""
        path = self._path(key)
        with self._clear(f"write {key} to"), self._unfinished(key, body) as temp:
            date = stamp(temp)
            self._place(temp, path, new=True)
            return Written(version_of(body), date)

    def swap(self, key: str, body: bytes, version: str) -> Written:
        """Write only over this version. LostRace when it changed or is gone. StoreUnreachable."""
        path = self._path(key)
        with self._clear(f"write {key} to"), self._unfinished(key, body) as temp, self._locked(key):
            try:
                found = version_of(whole(path)[0])
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._must_be_there()
                raise LostRace(f"{self.where}: {key} is gone; read it again") from None
            if found != version:
                raise LostRace(f"{self.where}: {key} was changed by someone else; read it again")
            date = stamp(temp)
            self._place(temp, path)
            return Written(version_of(body), date)

    def put(self, key: str, body: bytes) -> Written:
        """Write whatever is there. StoreUnreachable."""
        path = self._path(key)
        # Under the lock too: between a swap's compare and its rename this write would be lost unseen.
        with self._clear(f"write {key} to"), self._unfinished(key, body) as temp, self._locked(key):
            date = stamp(temp)
            self._place(temp, path)
            return Written(version_of(body), date)

    def delete(self, key: str) -> None:
        """Remove; not there is done. StoreUnreachable."""
        path = self._path(key)
        with self._clear(f"remove {key} from"):
            self._must_be_there()
            with self._locked(key):
                try:
                    os.unlink(path)
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    return
                sync_folder(os.path.dirname(path))
            self._drop_empty(os.path.dirname(path))

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so, sorted; complete, or StoreUnreachable."""
        checked_prefix(prefix)
        folder = prefix.rpartition("/")[0]
        found: list[str] = []
        with self._clear("list"):
            self._must_be_there()
            self._collect(folder, found)
            self._must_be_there()  # a share unmounted meanwhile must not pass for an empty folder
        return sorted(key for key in found if key.startswith(prefix))

    # --- the parts ------------------------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        return os.path.join(self.root, *checked(key).split("/"))

    def _must_be_there(self) -> None:
        if not os.path.isdir(self.root):
            os.stat(self.root)  # says why, when it cannot even be looked at
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", self.root)

    def _now(self, at_least: Instant) -> Instant:
        """The file system's clock, which stamped `modified`: on a shared mount it is the server's.

        Told by touching `.tmp`, which needs no space. Who may not even touch it (read-only) holds no lease,
        so this machine's clock will do there.
        """
        try:
            os.utime(self._tmp)
            return Instant(max(at_least, os.stat(self._tmp).st_mtime))
        except OSError:
            return Instant(max(at_least, time.time()))

    def _collect(self, folder: str, found: list[str]) -> None:
        try:
            with os.scandir(os.path.join(self.root, *folder.split("/")) if folder else self.root) as entries:
                listed = [(entry.name, entry.is_dir(), entry.is_file()) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return  # removed when its last key was
        for name, is_folder, is_file in listed:
            key = f"{folder}/{name}" if folder else name
            if key == ".tmp" or not name.isprintable():
                continue  # no key can bear such a name
            if is_folder:
                self._collect(key, found)
            elif is_file:
                found.append(key)

    @contextmanager
    def _unfinished(self, key: str, body: bytes) -> Iterator[str]:
        """The body, whole and on the disk, under a name nobody reads; gone at the end if it was not moved."""
        self._must_be_there()
        os.makedirs(self._tmp, exist_ok=True)
        if not self._swept:
            self._swept = True
            self._sweep()
        temp = os.path.join(self._tmp, f"new-{key.rpartition('/')[2][:40]}-{os.urandom(8).hex()}")
        try:
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                rest = memoryview(body)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield temp
        finally:
            with suppress(OSError):  # nobody reads it, and it is swept later
                os.unlink(temp)

    def _place(self, temp: str, path: str, new: bool = False) -> None:
        """Give it its name, making its folders, and see that onto the disk. `new`: only if nothing has it."""
        folder = os.path.dirname(path)
        for attempt in range(20):
            self._make_folders(folder)
            try:
                if new:
                    os.link(temp, path)
                else:
                    os.replace(temp, path)
                break
            except FileExistsError:
                if os.path.isdir(path):
                    raise IsADirectoryError(errno.EISDIR, "is a folder of other objects", path) from None
                key = os.path.relpath(path, self.root)
                raise LostRace(f"{self.where}: {key} exists already; read it again") from None
            except FileNotFoundError:
                if attempt == 19:
                    raise  # a delete took the empty folder away just before us, again and again
        try:
            sync_folder(folder)
        except OSError as err:
            why = err.strerror or err
            raise StoreUnreachable(f"{self.where}: {path} is written, and may not outlast a crash: {why}") from err

    def _make_folders(self, folder: str) -> None:
        """Below the root only: that must be there."""
        if os.path.isdir(folder):
            return
        self._must_be_there()
        if folder == self.root:
            return
        above = os.path.dirname(folder)
        self._make_folders(above)
        with suppress(FileExistsError, FileNotFoundError):
            os.mkdir(folder)
            sync_folder(above)

    def _drop_empty(self, folder: str) -> None:
        """Folders whose last key went go too; a writer that meets this makes them again."""
        while folder != self.root:
            try:
                os.rmdir(folder)
            except OSError:
                return  # not empty, or gone already
            folder = os.path.dirname(folder)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """This key's lock, among all processes and threads that use this folder."""
        os.makedirs(self._tmp, exist_ok=True)
        path = os.path.join(self._tmp, f"lock-{zlib.crc32(key.encode()) % _LOCKS:02d}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            deadline, pause = time.monotonic() + _PATIENCE, 0.0005
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise StoreUnreachable(
                            f"{self.where}: {path} has been locked by another process for {_PATIENCE:.0f} s; "
                            "look with `fuser` whether that process is stopped or its disk hangs"
                        ) from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.01)
            yield
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """Take away what killed writers left."""
        now = self._now(Instant(0.0))
        with os.scandir(self._tmp) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.name.startswith("new-") and now - entry.stat().st_mtime > _LEFTOVER:
                        os.unlink(entry.path)

    @contextmanager
    def _clear(self, doing: str) -> Iterator[None]:
        """What the operating system says, as one sentence with the way out."""
        try:
            yield
        except OSError as err:
            why = told(err, self.root)
            kind = StoreRefused if doing.startswith("write") and err.errno in REFUSALS else StoreUnreachable
            raise kind(f"{self.where}: cannot {doing} this folder: {why}") from err
