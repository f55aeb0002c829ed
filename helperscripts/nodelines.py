"""This node's crontab lines, from its Settings and the Deployment: what `crontab install` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helperscripts.ask import Ask

if TYPE_CHECKING:
    from pathlib import Path

    from autoscaler.deployment import Deployment
    from helperscripts.settings import Settings

__all__ = ["lines_of_node", "notes_of_node", "tag_of_node"]


def _ordinal(ask: Ask) -> int:
    from utilities.errors import AskerErred

    settings = ask.settings
    if settings.node is None:
        where = f"{settings.source} does not say" if settings.source else "nothing says"
        raise AskerErred(f"{where} which node this is: set `node: 1`, AUTOSCALER_NODE or --node 1")
    return settings.node


def tag_of_node(ask: Ask) -> str:
    """Whose block it is in a crontab. AskerErred when nothing says which node this is."""
    from cron.block import tag_of

    return tag_of(_ordinal(ask), _named(ask.settings))


def lines_of_node(ask: Ask, deployment: Deployment | None = None) -> tuple[str, list[str]]:
    """The tag and the lines of this node, by this Deployment, else the Store's; without one it ticks each minute.

    AskerErred when nothing says which node this is, Unreachable without the programs or this machine's zone.
    """
    from autoscaler.deployment import KEY, Deployment
    from cron.entrylines import entry_lines
    from cron.localzone import local_zone
    from cron.table import Daily, lines
    from helperscripts import wiring

    settings, ordinal = ask.settings, _ordinal(ask)
    tick, dailies = Deployment.tick, list[Daily]()
    ask.judging = "last"
    if deployment is None and ask.store.get(KEY) is not None:
        deployment = ask.deployment
    if deployment is not None:
        tick = deployment.tick * settings.hurry  # cron's minutes are not hurried
        if deployment.schedule:
            dailies = entry_lines(deployment.schedule, wiring.clock().now(), local_zone())
    return tag_of_node(ask), lines(
        ordinal, str(_programs()), _named(settings), tick=round(tick, 3), environment=_environment(ask),
        dailies=dailies,
    )


def _named(settings: Settings) -> str | None:
    """The settings file, where cron would not find the same one by itself."""
    import os
    from pathlib import Path

    from helperscripts.settings import usual_paths

    if settings.source is None:
        return None
    usual = usual_paths({"HOME": os.environ.get("HOME", str(Path.home()))})
    found = next((path for path in usual if path.exists()), None)
    return None if found == settings.source else str(settings.source.absolute())


def _environment(ask: Ask) -> dict[str, str]:
    """What this call knows from its command line or environment, and cron would not."""
    import os

    from helperscripts.settings import read_settings

    settings = ask.settings
    written = read_settings(settings.source, {}) if settings.source is not None else None
    found: dict[str, str] = {}
    if settings.store and (written is None or written.store != settings.store):
        found["AUTOSCALER_STORE"] = settings.store
    if written is None or written.node != settings.node:
        found["AUTOSCALER_NODE"] = str(settings.node)
    if os.environ.get("AUTOSCALER_STATE"):
        found["AUTOSCALER_STATE"] = str(settings.state)
    return found


def _programs() -> Path:
    """The folder of the console scripts: beside this Python, else beside the program called, else on PATH."""
    import os
    import shutil
    import sys
    from pathlib import Path

    from utilities.errors import Unreachable

    beside = [os.path.dirname(sys.executable), os.path.dirname(os.path.abspath(sys.argv[0]))]
    for folders in (*beside, None):
        found = shutil.which("autoscaler", path=folders)
        if found is not None:
            return Path(found).absolute().parent
    raise Unreachable(
        "the program `autoscaler` is neither beside this Python nor on PATH: install it (pip install ...), for cron "
        "has to call it"
    )


def notes_of_node(ask: Ask) -> list[str]:
    """What cron will not know of this shell's environment, in sentences."""
    import os

    s3 = ask.settings.s3
    keys = s3.profile or s3.access_key or s3.access_key_file or s3.access_key_env
    notes = []
    if (ask.settings.store or "").startswith("s3:") and not keys and os.environ.get("AWS_ACCESS_KEY_ID"):
        notes.append("cron will not know AWS_ACCESS_KEY_ID of this shell: put keys into the settings file or ~/.aws")
    if s3.access_key_env or s3.secret_key_env:
        notes.append(f"cron must know {s3.access_key_env or s3.secret_key_env}: set it at the top of the crontab")
    return notes
