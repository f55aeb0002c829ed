"""A page on one adapter: what it is, its traits, its settings with a line each, and what to write for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from helperscripts.screen import flow, paint, table

if TYPE_CHECKING:
    from autoscaler.server import Traits
    from helperscripts.wiring import About

__all__ = ["HALVES", "needs", "page", "secret_file", "snippet"]

_OWN = "autoscaler-toolkit"
#: Credentials: two settings each, of which one is given, or neither where a variable of the environment is set.
HALVES = ("token", "key", "secret")


def needs(about: About) -> list[str]:
    """What it cannot do without: required settings, and credentials by what they are."""
    return [*about.required, *(half for half in HALVES if f"{half}_file" in about.settings)]


def secret_file(name: str, half: str) -> str:
    """Where pages and `init` propose to keep that half of an adapter's credentials, on every node."""
    return f"/etc/autoscaler/{name}.{half}"


def page(kind: str, about: About) -> list[str]:
    """`kind` is provider or balancer."""
    if about.trouble:
        return [paint(f"{kind} {about.name}", "red", bold=True), *flow(about.trouble, "  ")]
    lines = [paint(f"{kind} {about.name}", bold=True), *flow(about.description, "  ")]
    facts = list(_facts(about))
    lines += ["", *table(("", ""), facts)] if facts else []
    rows = [(key, "yes" if key in about.required else "no", line) for key, line in about.settings.items()]
    if rows:
        lines += ["", *table(("setting", "required", "what it is"), rows)]
    return [*lines, "", "In deployment.yaml:", "", *(f"  {line}" for line in snippet(kind, about))]


def snippet(kind: str, about: About) -> list[str]:
    """The least that deployment.yaml must say, as YAML; words in capitals are to be replaced."""
    given = {key: key.upper() for key in about.required}
    for half in HALVES:
        if f"{half}_file" in about.settings:
            given[f"{half}_file"] = secret_file(about.name, half)
    words = [f"name: {about.name}", *(f"{key}: {value}" for key, value in given.items())]
    if kind == "balancer":
        return ["balancers:", f"  - {words[0]}", *(f"    {word}" for word in words[1:])]
    server = [f"  {key}: {key.upper()}" for key in about.server]
    return ["provider:", *(f"  {word}" for word in words), *(["server:", *server] if server else [])]


def _facts(about: About) -> Iterator[tuple[str, str]]:
    if about.traits is not None:
        yield from _traits(about.traits)
    if about.extra:
        wanted = about.extra if about.origin else f"{_OWN}[{about.extra}]"
        yield "wants", f"pip install '{wanted}'"
    if about.origin:
        yield "from", about.origin
    if any(f"{half}_file" in about.settings for half in HALVES):
        yield "secrets", "in a file of mode 0600 on every node, or in the environment; never in deployment.yaml"


def _traits(traits: Traits) -> Iterator[tuple[str, str]]:
    yield "billed", f"by the {traits.billing}"
    yield "boots", f"in about {traits.boot_time:g} s"
    yield "lists", f"what is new within {traits.listing_lag:g} s"
    yield "doubt", f"a create whose answer was lost counts for {traits.settle:g} s, until a listing lacks it"
    names = "are unique at the vendor" if traits.unique_names else "may stand twice at the vendor"
    yield "names", f"{names}{'; a repeated create makes no second server' if traits.create_token else ''}"
    yield "host keys", "told by the provider" if traits.knows_host_key else "not told by the provider"
