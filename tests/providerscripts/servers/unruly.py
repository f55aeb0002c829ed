"""`python unruly.py VENDOR FOLDER`: the example's vendor, misbehaving as FOLDER/.faults says. For test_command.py."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SAYS = {"auth": 10, "quota": 11, "sold out": 12, "rate": 13, "unreachable": 15}


def vendor(program: str) -> Any:
    spec = importlib.util.spec_from_file_location("vendor", program)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def take(folder: Path, verb: str) -> tuple[str, float]:
    """The next fault of this verb, which then is none any more."""
    file = folder / ".faults"
    queue = json.loads(file.read_text()) if file.exists() else []
    for i, (of, fault, seconds) in enumerate(queue):
        if of == verb:
            file.write_text(json.dumps(queue[:i] + queue[i + 1 :]))
            return fault, seconds
    return "", 0.0


def set_state(folder: Path, id: str, state: str) -> None:
    file = folder / f"{id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "state": state}))


def main(program: str, where: str) -> None:
    folder, order = Path(where), json.load(sys.stdin)
    folder.mkdir(exist_ok=True)
    verb = order["verb"]
    fault, seconds = take(folder, verb)
    if fault != "unreachable":
        with (folder / ".asked").open("a") as log:
            log.write(f"{verb}\n")
    most = folder / ".quota"
    if verb == "create" and most.exists() and len(list(folder.glob("[0-9a-f]*.json"))) >= int(most.read_text()):
        fault = "quota"
    if fault in SAYS:
        # one half says it in words, the other by its exit code alone
        if fault in ("auth", "rate"):
            print(json.dumps({"error": fault, "message": f"{fault} (scripted)"}))
            sys.exit(3)
        sys.exit(SAYS[fault])
    if fault == "lost request":
        sys.exit("HTTP 503")
    if fault == "hangs":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", where])
        time.sleep(600)
    if fault == "late":
        late = f"import time; time.sleep({seconds}); import subprocess, sys\n"
        late += f"subprocess.run([sys.executable, {program!r}, {where!r}], input={json.dumps(order)!r}, text=True)"
        subprocess.Popen([sys.executable, "-c", late], stdout=subprocess.DEVNULL)
        sys.exit("timed out")
    if fault == "stuck deleting":
        set_state(folder, order["id"], "deleting")
        return
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        vendor(program).main(where, order)
    text = said.getvalue()
    if fault == "twice":
        with contextlib.redirect_stdout(io.StringIO()):
            vendor(program).main(where, order)
    if verb == "create":
        made = json.loads(text)["server"]["id"]
        with (folder / ".made").open("a") as log:
            log.write("made\n" * (2 if fault == "twice" else 1))
        if fault in ("never boots", "fails late"):
            set_state(folder, made, "creating" if fault == "never boots" else "failed")
    if fault == "lost answer":
        os._exit(1)
    if fault == "half an answer":
        text = text[: len(text) // 2]
    if fault == "no answer":
        text = ""
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:3])
