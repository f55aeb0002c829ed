"""A Tenancy: at which Provider, and where in it, a share's webservers are rented. Pure.

An id means nothing elsewhere: another vendor, or another zone of the same one, says of each that it is not there.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.deployment import Deployment
from autoscaler.server import Traits
from autoscaler.share import Share

__all__ = ["elsewhere", "tenancy_of"]


def tenancy_of(deployment: Deployment, traits: Traits) -> str:
    """Such as "hetzner", or "exoscale ch-gva-2" where one entry of the Deployment reaches one place alone."""
    return f"{deployment.provider.name} {traits.place}".strip()


def elsewhere(shares: Iterable[Share], tenancy: str) -> str:
    """Why nothing can be judged here: webservers that are rented elsewhere; "" when there are none."""
    strange = [s for s in shares if s.billable and s.tenancy not in ("", tenancy)]
    if not strange:
        return ""
    where = " and ".join(dict.fromkeys(s.tenancy for s in strange))
    count = sum(s.billable for s in strange)
    are = "webservers on record are" if count > 1 else "webserver on record is"
    return (
        f"provider: {count} {are} rented at {where}, and this says {tenancy}, which knows nothing of them: nothing "
        "is judged. Set it back, or `release` each: they go on running and costing there (docs/operating.md, Moving)"
    )
