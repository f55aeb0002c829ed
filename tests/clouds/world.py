"""The contract suite's World for a provider over a fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from autoscaler.ports import Provider
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.clouds.fake import Fake
from tests.providerscripts.servers.contract import CannotShow, World

QUESTIONS = ("list", "get")
TRIES = 3  # so often a question is asked before it is given up (providerscripts/rest/api.py) ...
AGAIN = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.RATE)  # ... when one of these is its answer


class Watched:
    """The provider; after each of its calls the fake hears again, if it was made deaf for that one."""

    def __init__(self, provider: Provider, fake: Fake) -> None:
        self._provider, self._fake, self.deaf = provider, fake, ""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            finally:
                if self.deaf == name:
                    self.deaf = ""
                    self._fake.hear()

        return called


def world_of(
    fake: Fake,
    open_provider: Callable[[str, Mapping[str, object], Site], Provider],
    settings: Mapping[str, object],
    ordered: Mapping[str, Any],
    tmp: Any = None,
) -> World:
    """A World with the fake's clock. `settings`: the Deployment's, without endpoint; `ordered`: image, size, region,

    options of a good order; `tmp`: the node's state folder.
    """
    site = Site(fake.time, tmp)  # type: ignore[arg-type]
    given = {**settings, "endpoint": fake.endpoint}
    provider = Watched(open_provider("web", given, site), fake)

    def script(verb: str, fault: Fault, seconds: float) -> None:
        if (verb, fault) in fake.cannot:
            raise CannotShow(fake.cannot[verb, fault])
        if fault is Fault.UNREACHABLE:
            with suppress(Exception):
                provider.list()  # a connection stands: the POST is refused, the look-ups before it are not
            fake.deafen(hang_up=verb in QUESTIONS)
            provider.deaf = verb
            return
        fake.next(verb, fault, seconds, times=TRIES if verb in QUESTIONS and fault in AGAIN else 1)

    return World(
        provider=provider,  # type: ignore[arg-type]
        another=lambda pool: open_provider(pool, given, site),
        script=script,
        truth=lambda: {id for id, machine in fake.truth().items() if machine.name.startswith("ws-web-")},
        made=lambda: fake.made,
        wait=fake.time.sleep,
        quota=lambda most: setattr(fake, "most", most),
        patience=200.0,
        ordered=ordered,
        posts=lambda: fake.count("create"),
        word=lambda id, word: setattr(fake.truth()[id], "word", word),
        shrink=(lambda: setattr(fake, "page_shrinks", TRIES)) if fake.pages else None,
        secrets=fake.secrets,
    )
