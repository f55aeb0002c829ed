"""The fixture `moto_s3`: an S3 server (moto behind one lock), one for the whole test run.

Import it where it is needed: `from tests.servers.moto_locked import moto_s3`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helperscripts.demo.s3_server import S3Server, s3_server

__all__ = ["moto_s3"]


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[S3Server]:
    """A running server. Make a bucket of your own with `moto_s3.make_bucket(name)`."""
    with s3_server() as server:
        yield server
