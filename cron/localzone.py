"""The zone of this machine's clock as cron sees it: /etc/localtime, not the TZ of whoever asks."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from utilities.civil import zone_of
from utilities.errors import Unreachable

__all__ = ["LOCALTIME", "local_zone"]

LOCALTIME = Path("/etc/localtime")


def local_zone(path: Path | None = None) -> ZoneInfo:
    """The zone; its `key` is the IANA name, None where only the file's rules are known.

    Without the file it is UTC, as for every program of the C library (tzset(3)). Unreachable when it cannot be read.
    """
    path = LOCALTIME if path is None else path
    try:
        named = str(path.readlink()).partition("zoneinfo/")[2] if path.is_symlink() else ""
        with path.open("rb") as rules:
            # The machine's own rules, not those that this program ships: cron goes by them.
            return ZoneInfo.from_file(rules, key=named if _known(named) else None)
    except FileNotFoundError:
        return zone_of("UTC")
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise Unreachable(
            f"{path} does not tell this machine's time zone ({why}): set it (timedatectl set-timezone Europe/Berlin)"
        ) from None


def _known(name: str) -> bool:
    """Not right/... and no place of this machine's own, which no Deployment may name."""
    try:
        zone_of(name)
    except ValueError:
        return False
    return True
