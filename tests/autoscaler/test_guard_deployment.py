"""A Deployment with a word nobody reads is refused: a limit that is misspelt is no limit."""

from __future__ import annotations

import pytest

from autoscaler.deployment import read_deployment
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

GOOD = "pool: web\nprovider:\n  name: memory\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("moode: production\n", "line 4: unknown key 'moode' in the document; did you mean mode?"),
        ("limits:\n  maximum: 5\n", "line 5: unknown key 'maximum' in limits"),
        ("rules:\n  removal: 2\n", "line 5: unknown key 'removal' in rules; did you mean removals?"),
        ("ladder:\n  agains: 2\n", "line 5: unknown key 'agains' in ladder; did you mean again?"),
        ("ladder:\n  http:\n    hosts: a\n", "line 6: unknown key 'hosts' in ladder.http; did you mean host?"),
        ("ladder:\n  ssh:\n    users: a\n", "line 6: unknown key 'users' in ladder.ssh; did you mean user?"),
    ],
)
def test_a_misspelt_key_is_refused_with_its_line(more: str, said: str) -> None:
    assert read_deployment(read_yaml(GOOD, "d")).pool == "web"
    with pytest.raises(DocumentFault) as caught:
        read_deployment(read_yaml(GOOD + more, "d"))
    assert said in str(caught.value)


def test_a_lease_outlives_two_ticks() -> None:
    start = "pool: web\nprovider: {name: memory}\n"
    assert read_deployment(read_yaml(start + "tick: 120\n", "d")).lease == 360
    with pytest.raises(DocumentFault, match="runs out between two ticks"):
        read_deployment(read_yaml(start + "tick: 120\nlease: 200\n", "d"))
