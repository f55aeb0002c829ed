"""Secrets do not print."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from security.secrets import Secret, redact

WORD = "hunter2-hunter2"


def test_no_common_way_to_print_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(WORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>30}",
        f"{secret!r}",
        "{}".format(secret),  # noqa: UP032
        repr([secret]),
        ascii(secret),
    ]
    logging.getLogger("test").warning("with %s and %r", secret, secret)
    try:
        raise ValueError(secret)
    except ValueError:
        shown.append(traceback.format_exc())

    @dataclass
    class Settings:
        token: Secret

    shown += [repr(Settings(secret)), repr(asdict(Settings(secret))), caplog.text, repr(copy.copy(shown))]
    assert not any(WORD in text for text in shown)
    assert secret.reveal() == WORD


def test_it_is_not_written_anywhere() -> None:
    with pytest.raises(TypeError):
        json.dumps({"token": Secret(WORD)})
    with pytest.raises(TypeError):
        pickle.dumps(Secret(WORD))
    with pytest.raises(TypeError):
        "".join([Secret(WORD)])  # type: ignore[list-item]


def test_it_compares() -> None:
    assert Secret(WORD) == Secret(WORD)
    assert hash(Secret(WORD)) == hash(Secret(WORD))
    assert Secret(WORD) != Secret("other")
    assert Secret(WORD) != WORD
    assert not Secret("")


def test_redaction_finds_ours_and_what_looks_like_one() -> None:
    secrets = [Secret(WORD), Secret(WORD[:8])]
    assert redact(f"401 for {WORD}!", secrets) == "401 for ***!"
    assert redact("Authorization: Bearer abcdef0123456789") == "Authorization: Bearer ***"
    assert redact('{"api_key": "abc", "size": 3}') == '{"api_key": "***", "size": 3}'
    assert redact("redis://user:pw@127.0.0.1:6379/0") == "redis://user:***@127.0.0.1:6379/0"
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    assert redact(f"a {key} b") == "a *** b"
    assert redact(key[:50]) == "***"


def test_redaction_leaves_plain_words_alone() -> None:
    plain = "ws-shop-1-3 destroyed: token bucket empty, http://127.0.0.1:80/, 2026-11-22T07:30:00.250Z"
    assert redact(plain, [Secret("a"), Secret("")]) == plain
