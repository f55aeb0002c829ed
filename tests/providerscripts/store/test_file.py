"""The directory Store: many processes, a full disk, a killed writer, a folder that vanished."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.ports import LostRace, StoreUnreachable
from providerscripts.store.disk import told
from providerscripts.store.file import FileStore

ROOT = Path(__file__).resolve().parents[3]


def run(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process of its own that runs the script with `store` and `sys` at hand."""
    head = "import os, sys, time\nfrom providerscripts.store.file import FileStore, LostRace\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(script), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store", make=True)


def test_twenty_processes_lose_nothing(store: FileStore) -> None:
    """Ten create races have one winner each, and a counter by read and swap ends at 20 x 5."""
    store.create("deep/counter", b"0")
    script = """
        store, won = FileStore(sys.argv[1]), 0
        print("ready", flush=True)
        sys.stdin.readline()
        for turn in range(10):
            try:
                store.create(f"race/{turn}", sys.argv[2].encode())
                won += 1
            except LostRace:
                pass
        done = 0
        while done < 5:
            found = store.get("deep/counter")
            try:
                store.swap("deep/counter", b"%d" % (int(found.body) + 1), found.version)
                done += 1
            except LostRace:
                pass
        print(won)
    """
    crowd = [run(script, store.root, number) for number in range(20)]
    for process in crowd:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    won = 0
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in crowd:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        won += int(out)
    counter = store.get("deep/counter")
    assert counter is not None
    assert counter.body == b"100"
    assert won == 10
    assert store.keys("") == ["deep/counter", *(f"race/{turn}" for turn in range(10))]


def test_a_swap_and_a_put_at_once_never_lose_the_put_unseen(store: FileStore) -> None:
    """The put waits for the lock that the swap holds while it compares."""
    version = store.create("a", b"1").version
    with store._locked("a"):
        writer = run("FileStore(sys.argv[1]).put('a', b'put')", store.root)
        time.sleep(1)
        found = store.get("a")
        assert found is not None
        assert (found.body, found.version) == (b"1", version), "written under someone else's lock"
    writer.communicate(timeout=60)
    with pytest.raises(LostRace):
        store.swap("a", b"2", version)


def test_a_lock_that_is_never_given_back_is_told(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create("a", b"1")
    monkeypatch.setattr("providerscripts.store.file._PATIENCE", 0.2)
    with store._locked("a"), pytest.raises(StoreUnreachable, match=r"lock-\d\d has been locked"):
        store.put("a", b"2")
    found = store.get("a")
    assert found is not None
    assert found.body == b"1", "readers never wait for a lock"


@pytest.mark.parametrize("moment", ["fsync", "link", "replace"])
def test_kill_9_in_the_middle_of_a_write(store: FileStore, moment: str) -> None:
    """The old object stays readable, there is no stray key, and the lock is free."""
    version = store.create("folder/a", b"old").version
    script = """
        store = FileStore(sys.argv[1])
        def stop(*arguments, **more):
            print("here", flush=True)
            time.sleep(600)
        setattr(os, sys.argv[2], stop)
        if sys.argv[2] == "link":
            store.create("folder/b", b"new" * 1000)
        else:
            store.put("folder/a", b"new" * 1000)
    """
    writer = run(script, store.root, moment)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"here\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate(timeout=60)
    assert store.keys("") == ["folder/a"]
    found = store.get("folder/a")
    assert found is not None
    assert found.body == b"old"
    store.swap("folder/a", b"newer", version)
    store.create("folder/b", b"b")
    left = [path for path in (Path(store.root) / ".tmp").iterdir() if path.name.startswith("new-")]
    assert len(left) == 1
    FileStore(store.root).put("c", b"")
    assert left[0].exists(), "an unfinished write of a living process is not swept"
    os.utime(left[0], (time.time() - 7200, time.time() - 7200))
    FileStore(store.root).put("c", b"")
    assert not left[0].exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.root
@pytest.mark.lab("hosts")  # where one can be made, a file system can be mounted
def test_a_full_disk(small_disk: Path) -> None:
    store = FileStore(small_disk / "store", make=True)
    version = store.create("a", b"old").version
    for write in (
        lambda: store.put("a", b"x" * 400_000),
        lambda: store.swap("a", b"x" * 400_000, version),
        lambda: store.create("b", b"x" * 400_000),
    ):
        with pytest.raises(StoreUnreachable, match="disk is full; free some space") as caught:
            write()
        assert str(small_disk) in str(caught.value)
    found = store.get("a")
    assert found is not None
    assert (found.body, store.keys("")) == (b"old", ["a"])
    assert not list((small_disk / "store" / ".tmp").glob("new-*")), "the unfinished write gave its space back"
    store.swap("a", b"new", version)


@pytest.mark.root
def test_a_read_only_mount_can_be_read(small_disk: Path) -> None:
    store = FileStore(small_disk / "store", make=True)
    store.create("a", b"old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnreachable, match="mounted read-only; remount it"):
        store.put("a", b"new")
    with pytest.raises(StoreUnreachable, match="mounted read-only"):
        store.delete("a")
    found = store.get("a")
    assert found is not None
    assert (found.body, store.keys("")) == (b"old", ["a"])
    assert 0 <= found.date - found.modified < 600


def test_a_write_that_the_system_cuts_short(store: FileStore) -> None:
    """As on a full disk, without root: the kernel refuses files above a limit."""
    store.create("a", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StoreUnreachable, match=r"ulimit -f") as caught:
            store.put("a", b"x" * 10_000)
        assert str(store.root) in str(caught.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = store.get("a")
    assert found is not None
    assert (found.body, store.keys("")) == (b"old", ["a"])


def test_a_folder_that_is_not_there_is_no_empty_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "unmounted")
    for ask in (
        lambda: store.get("a"),
        lambda: store.keys(""),
        lambda: store.keys("shares/"),
        lambda: store.create("a", b""),
        lambda: store.put("a", b""),
        lambda: store.swap("a", b"", "v"),
        lambda: store.delete("a"),
    ):
        with pytest.raises(StoreUnreachable, match=r"mkdir -p .*/unmounted"):
            ask()
    assert not (tmp_path / "unmounted").exists(), "nothing is made behind a missing mount"


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for store in (FileStore(tmp_path / "file"), FileStore(tmp_path / "file" / "below")):
        for ask in (lambda s=store: s.get("a"), lambda s=store: s.keys(""), lambda s=store: s.put("a", b"")):
            with pytest.raises(StoreUnreachable, match="plain file; move that file away"):
                ask()


def test_a_key_below_an_object_cannot_be_written(store: FileStore) -> None:
    """S3 could; a directory cannot, and says so. Nothing of ours is named so."""
    store.put("a", b"")
    with pytest.raises(StoreUnreachable, match="plain file"):
        store.put("a/b", b"")
    store.put("c/d", b"")
    for write in (lambda: store.create("c", b""), lambda: store.put("c", b"")):
        with pytest.raises(StoreUnreachable, match="folder of other objects"):
            write()


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user may reach; pytest's own ones are closed to others."""
    place = Path(tempfile.mkdtemp(prefix="autoscaler-store-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_rights_that_are_missing(open_place: Path) -> None:
    """Asked by a process that is nobody, as root may do all; without root, by the owner who shut himself out."""
    store = FileStore(open_place / "store", make=True)
    store.create("a/b", b"1")
    os.chmod(open_place / "store" / "a", 0o700 if os.geteuid() == 0 else 0)
    script = """
        from autoscaler.ports import StoreUnreachable
        if os.geteuid() == 0:
            os.setgid(65534); os.setuid(65534)
        store = FileStore(sys.argv[1])
        for ask in (lambda: store.get("a/b"), lambda: store.keys("a/"), lambda: store.put("a/b", b"")):
            try:
                print("no trouble", ask())
            except StoreUnreachable as err:
                print(err)
    """
    out, _ = run(script, store.root).communicate(timeout=60)
    os.chmod(open_place / "store" / "a", 0o700)
    lines = out.decode().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert "may not" in line
        assert str(store.root) in line
        assert "run as the owner" in line


def test_the_lock_wait_does_not_age_what_is_written(store: FileStore) -> None:
    """`modified` is when it took effect: a lease renewed after a wait is not born old."""
    store.create("a", b"1")
    with store._locked("a"):
        writer = run("FileStore(sys.argv[1]).put('a', b'2'); print('done')", store.root)
        deadline = time.monotonic() + 60
        while not list((Path(store.root) / ".tmp").glob("new-a-*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(1.5)
        freed = time.time()
    writer.communicate(timeout=60)
    found = store.get("a")
    assert found is not None
    assert found.body == b"2"
    assert found.modified > freed - 0.1


def test_the_date_is_the_file_systems(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not this machine's: on a shared mount those are two."""
    store.create("a", b"1")
    path = Path(store.root) / "a"
    os.utime(path, (time.time() - 500, time.time() - 500))
    with monkeypatch.context() as turned:
        turned.setattr("providerscripts.store.file.time.time", lambda: 4_000_000_000.0)
        found = store.get("a")
    assert found is not None
    assert 499 <= found.date - found.modified < 560


def test_empty_folders_go_with_their_last_key_and_come_back(store: FileStore) -> None:
    store.put("opinions/ws-1/1.json", b"")
    store.put("opinions/ws-2/1.json", b"")
    store.delete("opinions/ws-1/1.json")
    assert [path.name for path in (Path(store.root) / "opinions").iterdir()] == ["ws-2"]
    store.delete("opinions/ws-2/1.json")
    assert [path.name for path in Path(store.root).iterdir()] == [".tmp"]
    store.put("opinions/ws-2/1.json", b"")


def test_makers_and_removers_of_one_folder_do_not_trip(store: FileStore) -> None:
    """A folder may go away between its making and the naming of a file in it."""
    script = """
        store = FileStore(sys.argv[1])
        for turn in range(60):
            store.put("folder/deep/" + sys.argv[2], b"x")
            store.delete("folder/deep/" + sys.argv[2])
    """
    crowd = [run(script, store.root, number) for number in range(4)]
    for process in crowd:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert store.keys("") == []


def test_locks_do_not_grow_with_the_keys(store: FileStore) -> None:
    for number in range(200):
        store.put(f"k{number}", b"")
    assert len(list((Path(store.root) / ".tmp").iterdir())) <= 64


def test_nothing_heavy_is_imported_for_a_directory(store: FileStore) -> None:
    script = """
        from providerscripts.store.url import open_store
        from utilities.clock import SystemClock
        store = open_store("file://" + sys.argv[1], SystemClock())
        store.put("a", b""), store.get("a"), store.keys("")
        print([name for name in ("boto3", "botocore", "urllib3", "requests", "asyncio", "concurrent.futures",
               "email", "http.client", "socket", "ssl", "logging") if name in sys.modules])
    """
    out, _ = run(script, store.root).communicate(timeout=60)
    assert out.strip() == b"[]"


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EDQUOT, errno.EOPNOTSUPP, errno.ENOENT])
def test_every_other_error_is_a_sentence_with_the_place(code: int) -> None:
    sentence = told(OSError(code, os.strerror(code), "/srv/store/a"), "/srv/store")
    assert sentence
    assert "\n" not in sentence
    assert "Errno" not in sentence
