"""A Store's URL, and one clear sentence for each that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from providerscripts.store.file import FileStore
from providerscripts.store.memory import MemoryStore
from providerscripts.store.s3 import S3Store
from providerscripts.store.url import open_store
from utilities.clock import SystemClock
from utilities.errors import AskerErred

CLOCK = SystemClock()


def test_a_directory(tmp_path: Path) -> None:
    for url in (f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/a%20b", f"file:{tmp_path}/a%20b"):
        store = open_store(url, CLOCK)
        assert isinstance(store, FileStore)
        assert store.root == f"{tmp_path}/a b"
        assert not (tmp_path / "a b").exists()
    open_store(f"file://{tmp_path}/made/deep", CLOCK, make=True)
    assert (tmp_path / "made" / "deep").is_dir()


def test_a_bucket() -> None:
    store = open_store("s3://fleet.bucket/a/b/?endpoint=https://sos.example:9000/&region=ch&style=virtual", CLOCK)
    assert isinstance(store, S3Store)
    assert (store.bucket, store.prefix, store.endpoint) == ("fleet.bucket", "a/b/", "https://sos.example:9000")
    assert store.where == "s3://fleet.bucket/a/b?endpoint=https://sos.example:9000"
    plain = open_store("s3://fleet", CLOCK)
    assert isinstance(plain, S3Store)
    assert (plain.where, plain.prefix, plain.endpoint) == ("s3://fleet", "", None)
    told = open_store("s3://fleet", CLOCK, endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    assert told.where == "s3://fleet?endpoint=http://127.0.0.1:9"
    again = open_store(told.where, CLOCK)
    assert again.where == told.where


def test_memory() -> None:
    assert isinstance(open_store("memory:", CLOCK), MemoryStore)


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("", "write file:///DIRECTORY or s3://BUCKET"),
        ("bucket", "write file:///DIRECTORY or s3://BUCKET"),
        ("gs://bucket", "write file:///DIRECTORY or s3://BUCKET"),
        ("https://host/bucket", "write file:///DIRECTORY or s3://BUCKET"),
        ("/srv/store", "write file:///srv/store"),
        ("file://srv/store", "three slashes"),
        ("file:srv", "three slashes"),
        ("file://", "three slashes"),
        ("file:///", "directory of its own"),
        ("file:///srv?x=1", "no options"),
        ("file:///srv#x", "%23"),
        ("s3://", "s3://BUCKET"),
        ("s3:///prefix", "s3://BUCKET"),
        ("s3:bucket", "s3://BUCKET"),
        ("s3://bu cket", "no bucket's name"),
        ("s3://host:9000/bucket", "?endpoint="),
        ("s3://bucket/../x", "prefix"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket/" + "x" * 150, "100 bytes"),
        ("s3://bucket#x", "behind #"),
        ("s3://bucket?endpoint=sos.example", "https://HOST"),
        ("s3://bucket?endpoint=ftp://sos.example", "https://HOST"),
        ("s3://bucket?endpoint=https://", "https://HOST"),
        ("s3://bucket?endpoint=https://h:99999", "https://HOST"),
        ("s3://bucket?endpoint=", "with a value"),
        ("s3://bucket?region=a&region=b", "there once"),
        ("s3://bucket?endpiont=https://h", "endpoint, region, style"),
        ("s3://bucket?style=fancy", "path, virtual or auto"),
        ("s3://[bucket", "no Store URL"),
    ],
)
def test_one_sentence_for_each_that_is_none(url: str, way_out: str) -> None:
    with pytest.raises(AskerErred) as caught:
        open_store(url, CLOCK)
    assert way_out in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["s3://AKIA:hush@bucket/p", "s3://bucket?endpoint=https://AKIA:hush@host", "s4://AKIA:hush@bucket",
     "s3://bucket?secret_key=hush", "s3://AKIA:hush@bucket?style=x"],
)  # fmt: skip
def test_keys_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(AskerErred) as caught:
        open_store(url, CLOCK)
    assert "hush" not in str(caught.value)
