"""How the verbs judge a bucket for conditional writes: who wishes does not wait, doctor asks anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helperscripts.desk import Desk
from tests.providerscripts.store.s3_double import Double, s3_double

STATIC = "SCALING_MODE=static\nNO_WEBSERVERS=2\n"


@pytest.fixture
def double() -> Iterator[Double]:
    with s3_double() as server:
        yield server


@pytest.fixture
def desk(double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path, monkeypatch)
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIAVERYPUBLIC"), ("AWS_SECRET_ACCESS_KEY", "very-secret-key")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AUTOSCALER_STORE", f"s3://bucket/pre?endpoint={double.endpoint}&region=here")
    return desk


def verdict(desk: Desk) -> str:
    [entry] = json.loads((desk.state / "stores.json").read_text())["stores"].values()
    return str(entry["conditional"])


@pytest.mark.parametrize(
    "argv",
    [
        ("adjust-scaling", "3", "--yes"),
        ("daily-scaleup", "3"),
        ("daily-scaledown", "1"),
        ("profile", "show"),
        ("profile", "check"),
        ("pause",),
        ("resume",),
        ("status",),
    ],
    ids=lambda argv: argv[0],
)
def test_who_wishes_or_looks_does_not_race(double: Double, desk: Desk, argv: tuple[str, ...]) -> None:
    assert desk("adjust-scaling", "2", "--yes").code == 0
    (desk.state / "stores.json").unlink()
    double.puts = []
    desk(*argv)
    probed = [key for key, *_ in double.puts if "probe/" in key]
    assert 0 < len(probed) <= 8
    assert verdict(desk) == "yes"


def test_doctor_judges_anew_and_keeps_the_verdict(double: Double, desk: Desk) -> None:
    desk("doctor")
    assert verdict(desk) == "yes"
    double.conditions = "create"
    said = desk("doctor", "--json")
    [told] = [check["told"] for check in said.json["checks"] if check["what"] == "probe"]
    assert told.startswith("create-only: ")
    assert verdict(desk) == "create-only"
    double.conditions, double.puts = "both", []
    desk("adjust-scaling", "2", "--yes")
    assert not [key for key, *_ in double.puts if "probe/" in key], "the last verdict, not a new one"


def test_init_races(double: Double, desk: Desk) -> None:
    assert desk("init", "--yes", "--node", "1", "--settings", str(desk.folder / "s.yaml")).code == 0
    assert len([key for key, *_ in double.puts if "probe/" in key]) > 50
