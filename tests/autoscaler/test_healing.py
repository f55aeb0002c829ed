"""The Deployment's `healing` and `control`, read strictly."""

from __future__ import annotations

import pytest

from autoscaler.deployment import Deployment, read_deployment
from autoscaler.softening import LOOK, Healing, Soft
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

START = "pool: web\nprovider: {name: memory}\n"
SSH = "ladder: {ssh: {service: nginx.service}}\n"


def read(text: str) -> Deployment:
    return read_deployment(read_yaml(START + text, "deployment.yaml"))


def test_nothing_softer_by_default_and_evidence_all_the_same() -> None:
    assert read("").healing == Healing((), 120.0, 3600.0, LOOK)
    assert read("").control == ()


def test_as_it_is_written() -> None:
    text = SSH + "healing: {soft: [restart, reboot], wait: 5 min, once_in: 2 h, evidence: ''}\n"
    assert read(text).healing == Healing((Soft.RESTART, Soft.REBOOT), 300.0, 7200.0, "")
    assert read("control: ['192.0.2.1:53', '[2001:db8::1]:443']\n").control == ("192.0.2.1:53", "[2001:db8::1]:443")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("healing: {soft: [restart]}\n", "no service is named"),
        ("healing: {soft: [restart]}\nladder: {ssh: {}}\n", "no service is named"),
        ("healing: {soft: [reboot, reboot]}\n", "twice"),
        ("healing: {soft: [reinstall]}\n", "none of restart, reboot"),
        ("healing: {soft: reboot}\n", "a list of words"),
        ("healing: {wait: 0}\n", "longer than 0 s"),
        ("healing: {weight: 1}\n", "did you mean wait"),
        ("control: [192.0.2.1]\n", "an address and a port"),
        ("control: ['192.0.2.1:0']\n", "an address and a port"),
        ("control: [':53']\n", "an address and a port"),
        ("control: '192.0.2.1:53'\n", "a list of words"),
    ],
)
def test_what_will_not_do_is_told(text: str, told: str) -> None:
    with pytest.raises(DocumentFault, match=told):
        read(text)


def test_a_hurried_one_waits_less() -> None:
    hurried = read("").hurried(60.0).healing
    assert (hurried.wait, hurried.once_in) == (2.0, 60.0)
