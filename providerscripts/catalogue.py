"""The Catalogue: adapters by name, imported when they are wanted.

Ours are modules of `servers/`, `balancers/` and `dns/`. A third party adds one by an entry point in the group
"autoscaler.providers" or "autoscaler.balancers" that names a module (or any object) with the same words:

    DESCRIPTION   one line
    REQUIRED      names of the settings it must be given in deployment.yaml
    OPTIONAL      names of those it may be given
    SETTINGS      may be left out: a line for each setting that `meanings.py` does not know
    SERVER        may be left out: the keys of the Deployment's `server` that a Provider needs
    TRAITS        a Provider's Traits with default settings
    EXTRA         the extra of this distribution, or else the package, that its SDK comes with; "" for none
    open_provider(pool, settings, site), or for a Balancer build(settings, site); site.py tells what a Site is

Importing such a module must be cheap: SDKs are imported inside functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscaler.ports import Balancer, Provider
from autoscaler.server import Traits
from providerscripts.meanings import meanings
from providerscripts.site import Site
from utilities.errors import DocumentFault, Trouble, Unreachable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["About", "balancers", "build_balancer", "open_provider", "providers"]

#: Of the balancers, those whose modules lie in `dns/`.
_DNS = ("cloudflare", "digitalocean", "exoscale", "hetzner", "linode", "route53", "vultr")
_OURS = {
    "servers": (
        *("local", "docker", "command", "memory"),
        *("aws", "digitalocean", "exoscale", "hetzner", "linode", "vultr"),
    ),
    "balancers": ("haproxy", "hosts", "memory", *_DNS),
}
_GROUPS = {"servers": "autoscaler.providers", "balancers": "autoscaler.balancers"}
_WORDS = {"servers": "provider", "balancers": "balancer"}
_DISTRIBUTION = "autoscaler-toolkit"


@dataclass(frozen=True)
class About:
    """What `autoscaler providers` tells of an adapter. `trouble`: why it cannot be used here, else empty."""

    name: str
    description: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    traits: Traits | None = None
    extra: str = ""
    origin: str = ""  # the distribution of a third party's; empty: ours
    trouble: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)  # each with its line
    server: tuple[str, ...] = ()  # of the Deployment's `server`, what a Provider needs


def providers() -> tuple[About, ...]:
    """All Providers by name, the broken ones too, without opening any."""
    return _all("servers")


def balancers() -> tuple[About, ...]:
    """All Balancers by name, the broken ones too, without building any."""
    return _all("balancers")


def open_provider(
    name: str, pool: str, settings: Mapping[str, object], site: Site, where: str = "deployment.yaml"
) -> Provider:
    """The Provider of this name. DocumentFault when there is none, or its settings are at fault; Unreachable

    when a package that it needs is not installed on this machine.
    """
    adapter = _adapter("servers", name, where)
    try:
        provider: Provider = adapter.open_provider(pool, settings, site)
    except ModuleNotFoundError as err:
        raise _without(name, adapter, err) from err
    except Trouble:
        raise
    except Exception as err:
        raise _broken("servers", name, err) from err
    return provider


def build_balancer(
    name: str, settings: Mapping[str, object], site: Site, where: str = "deployment.yaml"
) -> Balancer:
    """The Balancer of this name. Errors as open_provider's."""
    adapter = _adapter("balancers", name, where)
    try:
        balancer: Balancer = adapter.build(settings, site)
    except ModuleNotFoundError as err:
        raise _without(name, adapter, err) from err
    except Trouble:
        raise
    except Exception as err:
        raise _broken("balancers", name, err) from err
    return balancer


def _adapter(room: str, name: str, where: str) -> Any:
    """The adapter's module. Ours come first: an entry point never takes the name of one of ours."""
    if name in _OURS[room]:
        try:
            folder = "dns" if room == "balancers" and name in _DNS else room
            return importlib.import_module(f"providerscripts.{folder}.{name}")
        except ModuleNotFoundError as err:
            raise _without(name, None, err) from err
    strangers = _strangers(room)
    if name in strangers:
        try:
            return strangers[name].load()
        except Exception as err:
            raise Unreachable(
                f"{_WORDS[room]} {name} of {_origin(strangers[name])} cannot be loaded: {err!r}"
            ) from err
    raise DocumentFault(where, [_unknown(room, name, [*_OURS[room], *strangers])])


def _unknown(room: str, name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 2, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}"
    return f"there is no {_WORDS[room]} {name!r}; {hint}"


def _without(name: str, adapter: Any, err: ModuleNotFoundError) -> Unreachable:
    """A missing package, told with the line that brings it."""
    extra = str(getattr(adapter, "EXTRA", "") or "")
    wanted = f"{_DISTRIBUTION}[{extra}]" if extra else str(err.name or "").partition(".")[0]
    return Unreachable(f"{name} needs the package {err.name}, which is not installed here: pip install '{wanted}'")


def _broken(room: str, name: str, err: Exception) -> Unreachable:
    """A fault of the adapter's own while it was opened."""
    what = " ".join(f"{type(err).__name__}: {err}".split())[:300]
    return Unreachable(f"{_WORDS[room]} {name} cannot be opened, by a fault of its own ({what}); --debug shows where")


def _strangers(room: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUPS[room]) if point.name not in _OURS[room]}


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _all(room: str) -> tuple[About, ...]:
    strangers = _strangers(room)
    found = []
    for name in sorted([*_OURS[room], *strangers]):
        origin = _origin(strangers[name]) if name in strangers else ""
        try:
            found.append(_about(name, _adapter(room, name, "the catalogue"), origin))
        except Unreachable as err:
            found.append(About(name, "", origin=origin, trouble=str(err)))
        except Exception as err:  # noqa: BLE001  it hides no other
            found.append(About(name, "", origin=origin, trouble=f"it cannot be loaded: {err!r}"))
    return tuple(found)


def _about(name: str, adapter: Any, origin: str) -> About:
    traits = getattr(adapter, "TRAITS", None)
    return About(
        name,
        str(getattr(adapter, "DESCRIPTION", "")),
        tuple(getattr(adapter, "REQUIRED", ())),
        tuple(getattr(adapter, "OPTIONAL", ())),
        traits,
        str(getattr(adapter, "EXTRA", "")),
        origin,
        settings=meanings(adapter),
        server=tuple(getattr(adapter, "SERVER", ("image", "size", "region"))) if traits is not None else (),
    )
