"""A performance: the stage is built, the story played, the table drawn; all is taken down, whatever happens."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helperscripts.demo.processes import adopt_orphans, marks
from helperscripts.demo.screen import Screen
from helperscripts.demo.stage import Stage, clear, finished, new_folder
from utilities.errors import AskerErred, Trouble

__all__ = ["Wishes", "called_as", "perform", "stop", "with_s3"]

DONE, FAILED, INTERRUPTED = 0, 6, 130
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line."""

    s3: bool = False
    keep: bool = False
    hurry: int = 15
    rate: float = 40.0


def perform(wishes: Wishes, screen: Screen | None = None) -> int:
    """The whole demo; its exit code: 0, 6 when a scene failed, 130 when it was interrupted.

    AskerErred, before anything is made, when an S3 server is wished for and moto is not there.
    """
    if wishes.s3 and not _has_moto():
        raise AskerErred("the demo's S3 server needs moto, which is not here: `make demo STORE=s3` installs it")
    screen = screen or Screen()
    with _signals():
        folder: Path | None = None
        code, kept = FAILED, False
        try:
            for old in finished():
                shutil.rmtree(old, ignore_errors=True)
            adopt_orphans()
            folder = new_folder()
            code = _play(
                Stage(folder, wishes.hurry, shutil.which("haproxy", path=_search()), moto=wishes.s3), wishes, screen
            )
            kept = wishes.keep and code == DONE
        except KeyboardInterrupt:
            code = INTERRUPTED
            screen.end()
            screen.line()
            screen.line("Interrupted: everything is being ended.")
        finally:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)  # taking down is not interrupted
            screen.end()
            if folder is not None and not kept:
                _take_down(folder, code, screen)
    return code


def stop(screen: Screen | None = None) -> int:
    """End what `--keep` left running."""
    screen = screen or Screen()
    kept = [Path(mark) for mark in sorted(marks()) if (Path(mark) / "kept").exists()]
    if not kept:
        screen.line("No demo is kept running: nothing to do.")
        return DONE
    code = DONE
    for folder in kept:
        left = clear(folder)
        if left:
            screen.line(f"{folder}: these processes do not end: {', '.join(map(str, left))}")
            code = FAILED
        else:
            shutil.rmtree(folder, ignore_errors=True)
            screen.line(f"The demo in {folder} has ended, and its folder is removed.")
    return code


def _play(stage: Stage, wishes: Wishes, screen: Screen) -> int:
    from helperscripts.demo.story import SceneFailed, Story

    proxy = "HAProxy" if stage.haproxy else "a small proxy of the demo, as HAProxy is not installed"
    screen.title("autoscaler demo: a day of three nodes and a fleet of webservers")
    screen.intro(
        f"All on this machine; time runs {wishes.hurry} times faster. Webservers are processes on addresses of their"
        f" own, visitors come through {proxy}, the Store is {'an S3 server (moto)' if stage.moto else 'a folder'}."
        " Ctrl-C ends it all at any moment."
    )
    try:
        screen.live("setting up ...")
        stage.build()
        story = Story(stage, screen, wishes.rate)
        story.play()
    except (SceneFailed, Trouble) as err:
        screen.failed(f"This did not come out as promised: {err}")
        _logs(stage.folder, screen)
        return FAILED
    code = _closing(stage, story, screen, wishes.keep)
    if wishes.keep and code == DONE:
        (stage.folder / "kept").touch()
        story.encore()
        _how_to_play(stage, screen)
    return code


def _closing(stage: Stage, story: object, screen: Screen, keep: bool) -> int:
    from helperscripts.demo.story import Story
    from helperscripts.demo.tally import read_requests, tally
    from helperscripts.demo.visitors import read_visits

    assert isinstance(story, Story)  # noqa: S101 - typed loosely so that a broken demo starts fast
    log = stage.folder / "proxy.log"
    visits = read_visits((stage.folder / "visitors.log").read_text())
    requests = read_requests(log.read_text(errors="replace"))
    since = min((v.at for v in visits), default=0.0) * 1000 - 1000
    standing = [r.name for r in story.observer.look().up]
    counted = tally(story.observer.journal(), [r for r in requests if r.at >= since], standing)
    failed = sum(1 for v in visits if v.failed)
    by_node = ", ".join(f"node {k}: {n}" for k, n in sorted(counted.builders.items()))
    screen.end()
    screen.line()
    screen.title("What the Journal and the proxy's log say")
    screen.table(
        [
            ("built", str(len(counted.built)), by_node),
            ("replaced", str(len(counted.replaced)), ", ".join(sorted(counted.replaced))),
            ("removed", str(len(counted.removed)), "for size: withdrawn, drained, destroyed"),
            (
                "requests",
                str(counted.requests),
                f"{counted.repeated} of them repeated by the proxy on another webserver",
            ),
            ("failed requests", str(max(counted.failed, failed)), "seen by a visitor or the proxy"),
            ("double builds", str(len(counted.doubled)), f"in {counted.decisions} entries of the Journal"),
            (
                "seconds",
                f"{screen.elapsed:.0f}",
                f"about {screen.elapsed * stage.hurry / 60:.0f} minutes of a real fleet",
            ),
        ]
    )
    (stage.folder / "table.json").write_text(
        json.dumps(
            {
                "built": sorted(counted.built),
                "replaced": sorted(counted.replaced),
                "removed": sorted(counted.removed),
                "doubled": sorted(counted.doubled),
                "requests": counted.requests,
                "visits": len(visits),
                "failed": max(counted.failed, failed),
                "repeated": counted.repeated,
                "decisions": counted.decisions,
                "seconds": round(screen.elapsed, 1),
            }
        )
    )
    screen.line()
    if counted.doubled or counted.failed or failed:
        screen.failed("Not as promised: no request may fail, no webserver be built twice.")
        _logs(stage.folder, screen)
        return FAILED
    screen.done("No request failed, and nothing was built twice.")
    screen.line()
    screen.title("Where to look next")
    called = called_as(sys.argv[0], stage.program("autoscaler"))
    what = "its logs" if stage.moto else "its Store, Journal and logs"
    screen.table(
        [
            (f"{called} demo --keep", "", "the same, and it stays for you to play with"),
            (with_s3(called), "", "the same, on an S3 server"),
            (f"{called} init", "", "your own fleet; nothing is done until you arm it"),
            ("docs/tour.md", "", "how it works, and what each node may do when"),
            (str(stage.folder), "", f"{what}, until {'you end it' if keep else 'the next demo'}"),
        ]
    )
    return DONE


def called_as(argv0: str, program: Path) -> str:
    """`autoscaler` where a shell finds it, else its path as it was called, else `program`."""
    if shutil.which("autoscaler"):
        return "autoscaler"
    return shlex.quote(argv0 if Path(argv0).name == "autoscaler" and Path(argv0).exists() else str(program))


def with_s3(called: str) -> str:
    """The command that runs the demo on an S3 server, and gets that server where it is not installed."""
    return f"{called} demo --store s3" if _has_moto() else "make demo STORE=s3"


def _has_moto() -> bool:
    from importlib.util import find_spec

    return all(find_spec(name) for name in ("moto", "flask", "werkzeug"))


def _how_to_play(stage: Stage, screen: Screen) -> None:
    screen.line()
    screen.title("It is kept running. In another terminal:")
    for line in (
        f"export AUTOSCALER_SETTINGS={stage.settings()} PATH={stage.program('autoscaler').parent}:$PATH",
        "autoscaler status",
        "adjust-scaling 5 --yes",
        f"curl {stage.url}",
        f"tail -f {stage.folder}/nodes/1/cron.log",
        "autoscaler demo --stop          # ends it",
    ):
        screen.line(f"  {line}")


def _logs(folder: Path, screen: Screen) -> None:
    screen.line(f"  Everything is left to look at in {folder}:")
    screen.line("  nodes/*/cron.log (what each node's cron lines said), proxy.log, visitors.log, store/journal/")


def _take_down(folder: Path, code: int, screen: Screen) -> None:
    try:
        left = clear(folder)
    except Trouble as err:
        left = []
        screen.line(f"  The webservers could not all be ended: {err}")
    if left:
        screen.line(f"  These processes do not end: {', '.join(map(str, left))}")
    if code == INTERRUPTED:
        shutil.rmtree(folder, ignore_errors=True)
    elif code == DONE:
        (folder / "finished").touch()


@contextmanager
def _signals() -> Iterator[None]:
    """TERM and HUP end it as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _search() -> str:
    """Debian keeps HAProxy where an ordinary user's PATH may not lead; who strips PATH on purpose means it."""
    return os.environ.get("PATH", os.defpath)
