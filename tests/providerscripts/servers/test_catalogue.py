"""The catalogue knows its adapters without opening them, and names the way out when it does not."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import providerscripts
from providerscripts import catalogue
from providerscripts.servers import local, memory
from providerscripts.site import Site
from utilities.clock import SystemClock
from utilities.errors import DocumentFault, Unreachable


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A third party's distribution, as pip would lay it out."""
    (tmp_path / "theirs.py").write_text(
        "DESCRIPTION = 'a cloud of their own'\nREQUIRED = ('token',)\n"
        "def open_provider(pool, settings, site):\n    return ('opened', pool, dict(settings))\n"
        "def build(settings, site):\n    import sdk_that_nobody_has\n"
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('licence expired')\n")
    meta = tmp_path / "their_cloud-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-cloud\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(
        "[autoscaler.providers]\ntheirs = theirs\nbroken = broken\nlocal = broken\n"
        "[autoscaler.balancers]\ntheirs = theirs\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_every_adapter_tells_who_it_is_and_what_it_needs():
    for about in (*catalogue.providers(), *catalogue.balancers()):
        assert about.description, about.name
        assert "\n" not in about.description
        assert not about.trouble
    assert {a.name for a in catalogue.providers()} >= {"local", "memory"}
    assert all(a.traits for a in catalogue.providers())


def test_no_adapter_of_the_rooms_is_forgotten():
    rooms = Path(inspect.getfile(providerscripts)).parent
    for folders, word, told in (
        (("servers",), "def open_provider(", catalogue.providers()),
        (("balancers", "dns"), "def build(", catalogue.balancers()),
    ):
        paths = [path for folder in folders for path in (rooms / folder).glob("*.py")]
        there = {path.stem for path in paths if f"\n{word}" in path.read_text()}
        assert there == {about.name for about in told if not about.origin}


def test_the_told_traits_are_the_real_ones(tmp_path):
    clock = SystemClock()
    assert local.open_provider("web", {"directory": str(tmp_path)}, Site(clock)).traits == local.TRAITS
    assert memory.open_provider("web", {}, Site(clock)).traits == memory.TRAITS


def test_the_catalogue_imports_no_sdk():
    heavy = "boto3 botocore paramiko requests cryptography yaml rich click"
    script = (
        "import sys; from providerscripts import catalogue; catalogue.providers(); catalogue.balancers()\n"
        f"print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(DocumentFault, match="no provider 'locl'; did you mean local"):
        catalogue.open_provider("locl", "web", {}, Site(SystemClock()))
    with pytest.raises(DocumentFault, match="no provider 'xyz'; there are aws, "):
        catalogue.open_provider("xyz", "web", {}, Site(SystemClock()))
    with pytest.raises(DocumentFault, match="no balancer 'ha-proxy'; did you mean haproxy"):
        catalogue.build_balancer("ha-proxy", {}, Site(SystemClock()))


def test_ours_are_opened_by_name(tmp_path):
    opened = catalogue.open_provider("local", "web", {"directory": str(tmp_path)}, Site(SystemClock()))
    assert isinstance(opened, local.LocalProvider)
    assert catalogue.build_balancer("memory", {}, Site(SystemClock())).name == "memory"
    with pytest.raises(DocumentFault, match="directory"):
        catalogue.open_provider("local", "web", {}, Site(SystemClock()))


def test_a_third_party_adds_one_by_entry_point(site):
    [theirs] = [a for a in catalogue.providers() if a.name == "theirs"]
    assert (theirs.description, theirs.required, theirs.origin) == ("a cloud of their own", ("token",), "their-cloud")
    opened = catalogue.open_provider("theirs", "web", {"token": "t"}, Site(SystemClock()))
    assert opened == ("opened", "web", {"token": "t"})


def test_a_broken_third_party_is_told_and_hides_nobody(site):
    told = {a.name: a for a in catalogue.providers()}
    assert "licence expired" in told["broken"].trouble
    assert not told["theirs"].trouble
    with pytest.raises(Unreachable, match="broken of their-cloud cannot be loaded"):
        catalogue.open_provider("broken", "web", {}, Site(SystemClock()))
    assert not told["local"].origin  # nobody takes the name of one of ours


def test_a_missing_package_is_one_sentence_with_the_pip_line(site):
    with pytest.raises(Unreachable, match="pip install 'sdk_that_nobody_has'"):
        catalogue.build_balancer("theirs", {}, Site(SystemClock()))
