"""Strict YAML: whatever a person writes there is read, or is a fault of the document with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helperscripts.desk import Desk
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

ODD = {
    "a date that is none": ("a: 1\npool: 2026-13-45\n", "line 2: '2026-13-45' is no timestamp: "),
    "two dates that are none": ("a: 2026-13-45\nb: [2026-99-01]\n", "line 2: '2026-99-01' is no timestamp: "),
    "a list as key": ("a: 1\n? [a, b]\n: 2\n", "line 2: a key must be one word"),
    "a mapping as key": ("{a: 1}: 2\n", "line 1: a key must be one word"),
    "a number that is none": ("a: !!int many\n", "line 1: 'many' is no int"),
    "a truth that is none": ("a: !!bool maybe\n", "line 1: 'maybe' is no bool"),
    "an empty number": ('a: !!int ""\n', "line 1: '' is no int"),
    "a zone that is none": ("a: 2026-01-01T00:00:00+99:00\n", "is no timestamp"),
    "a number too long": (f"a: {'9' * 5000}\n", "is no int"),
    "a tag nobody knows": ("a: 1\nb: !!python/object:os.system x\n", "line 2: not YAML: could not determine"),
    "too deep": ("[" * 5000, "nested too deeply"),
    "a list used twice": ("a: &x [1]\nb: *x\n", "line 1: stands here under a name (&) and is used again"),
    "aliases of aliases": (
        "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 15)),
        "is used again",
    ),
    "far too deep": ("- " * 100_000, "nested too deeply"),
    "a key twice": ("a: 1\na: 2\n", "line 2: 'a' stands here twice"),
}


@pytest.mark.parametrize(("text", "told"), ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_a_fault_with_its_line(text: str, told: str) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_yaml(text, "deployment.yaml")
    assert told in str(caught.value)
    assert caught.value.where == "deployment.yaml"


def test_every_odd_value_is_told() -> None:
    with pytest.raises(DocumentFault) as caught:
        read_yaml(ODD["two dates that are none"][0], "d")
    assert [line for line, _ in caught.value.faults] == [1, 2]


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("ab1-.:?[]{}&*!\"' \n0"), max_size=30))
def test_no_text_is_a_bug_of_ours(text: str) -> None:
    with contextlib.suppress(DocumentFault):
        read_yaml(text, "d")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pool: 2026-13-45\nprovider: {name: memory}\n", "'2026-13-45' is no timestamp"),
        ("pool: web\nprovider: {name: memory}\n? [a, b]\n: 1\n", "a key must be one word"),
        ("pool: web\nprovider: {name: memory}\ntick: .inf\n", "tick must be a duration"),
        ("pool: web\nprovider: {name: memory}\nlease: .nan\n", "lease must be a duration"),
        (f"pool: web\nprovider: {{name: memory}}\ndrain: {'9' * 400} d\n", "drain must be a duration"),
        ("pool: web\nprovider: {name: memory}\nrules: {booting: 1000000000000}\n", "booting must be a duration"),
    ],
)
def test_the_verbs_exit_with_3(text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch)
    desk.store.put("deployment.yaml", text.encode())
    said = desk("adjust-scaling", "2", "--yes")
    assert said.code == 3, said
    assert said.err.count("\n") == 1
    assert told in said.err
