#!/usr/bin/env python3
"""A vendor for the provider `command`: its "machines" are files in a folder. A skeleton to put real calls into.

    provider:
      name: command
      create: [/usr/local/bin/vendor.py, /var/lib/machines]
      list:   [/usr/local/bin/vendor.py, /var/lib/machines]
      delete: [/usr/local/bin/vendor.py, /var/lib/machines]
      get:    [/usr/local/bin/vendor.py, /var/lib/machines]

docs/command-provider.md tells the protocol. What it asks of every such program, and what you see here:
a create asks the vendor once and never tries again; a listing is whole, or the exit code is not 0; a "no" that is
certain has an exit code of its own; everything else ends in a traceback, exit code 1, which means "nobody knows".
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime

NOT_FOUND = 16
INVALID = 14


def refuse(code, message):
    """A certain no: nothing was made or changed."""
    json.dump({"error": {NOT_FOUND: "not found", INVALID: "invalid"}[code], "message": message}, sys.stdout)
    sys.exit(code)


def path(folder, id):
    if not id.isalnum():
        refuse(NOT_FOUND, f"no machine {id}")
    return os.path.join(folder, f"{id}.json")


def read(folder, id):
    try:
        with open(path(folder, id)) as file:
            return json.load(file)
    except FileNotFoundError:
        refuse(NOT_FOUND, f"no machine {id}")


def write(folder, machine):
    beside = os.path.join(folder, f".{machine['id']}.{os.getpid()}")
    with open(beside, "w") as file:
        json.dump(machine, file)
    os.replace(beside, path(folder, machine["id"]))


def create(folder, order):
    if not order["image"]:
        refuse(INVALID, "an image is needed")
    machine = {
        "id": uuid.uuid4().hex,
        "name": order["name"],
        "pool": order["pool"],
        "state": "running",
        "address": "192.0.2.1",
        "created": datetime.now(UTC).isoformat(),
        "size": order["size"],
    }
    write(folder, machine)
    return {"server": machine}


def listing(folder, order):
    ids = sorted(name[: -len(".json")] for name in os.listdir(folder) if not name.startswith("."))
    machines = []
    for id in ids:
        try:
            with open(path(folder, id)) as file:
                machines.append(json.load(file))
        except FileNotFoundError:
            pass  # deleted at this moment
    return {"servers": [m for m in machines if order["everything"] or m["pool"] == order["pool"]]}


def get(folder, order):
    return {"server": read(folder, order["id"])}


def delete(folder, order):
    read(folder, order["id"])
    os.unlink(path(folder, order["id"]))
    return {}


def reboot(folder, order):
    read(folder, order["id"])
    return {}


def label(folder, order):
    write(folder, {**read(folder, order["id"]), "pool": order["label"]})
    return {}


VERBS = {"create": create, "list": listing, "get": get, "delete": delete, "reboot": reboot, "label": label}


def main(folder, order):
    os.makedirs(folder, exist_ok=True)
    json.dump(VERBS[order["verb"]](folder, order), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
