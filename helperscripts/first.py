"""The first documents: what `init` writes. Everything that has a default stands there as a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:?=&%@+~-]*(?<!:)", re.ASCII)
_SERVER = {"image": "IMAGE", "size": "SIZE", "region": "REGION"}
_BALANCER = (
    "balancers:", "  - name: haproxy", "    file: /etc/haproxy/haproxy.cfg", "    socket: /run/haproxy/admin.sock",
    "    backend: web",
)
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}

__all__ = ["deployment_text", "machine_zone", "schedule_text", "settings_text"]


def settings_text(
    store: str,
    node: int,
    reboot: Sequence[str] | None,
    ssh_key: Path | None,
    inherited: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> str:
    """settings.yaml of one machine."""
    reboots = "# reboot: [systemctl, reboot]" if reboot is None else f"reboot: {json.dumps(list(reboot))}"
    key = f"ssh_key: {_quoted(str(ssh_key))}" if ssh_key else "# ssh_key: /etc/autoscaler/id_ed25519"
    states = f"state: {_quoted(str(state))}" if state else "# state: /var/lib/autoscaler"
    s3 = "".join(f"  {name}: {_quoted(value)}\n" for name, value in (inherited or {}).items())
    return f"""\
# This machine's settings. What all nodes share stands in the Store, in deployment.yaml.
# `autoscaler doctor` checks both and tells each fault with its line.

# Where the Store is: s3://BUCKET/PREFIX?endpoint=https://HOST or file:///DIRECTORY
store: {_quoted(store)}

# Which node this is: 1 to the number of nodes. No two machines may have the same.
node: {node}

# How to reach the bucket, where the URL does not say. Without keys the usual AWS places are looked at.
{'s3:' if s3 else '# s3:'}
{s3}\
#   endpoint: https://objects.example
#   region: eu-central-1
#   access_key_file: /etc/autoscaler/access_key      # mode 0600; or access_key_env: NAME
#   secret_key_file: /etc/autoscaler/secret_key
#   profile: autoscaler                              # of ~/.aws

# The private key that logs in to webservers, for the health checks over SSH. Mode 0600.
{key}

# The command that reboots this machine once a cycle has earned it; [] means it is never rebooted.
{reboots}

# A program that gets each alarm as one line of JSON on its stdin, and one that runs after each good tick of cron.
# notify: [/usr/local/bin/alarm-mail]
# heartbeat: [/usr/bin/curl, -fsS, -m, '8', 'https://hc.example/ping/web-{{node}}-{{verb}}']

# Where this machine keeps its locks and logs. Nothing in it is needed to be right.
{states}
"""


def deployment_text(
    pool: str,
    nodes: int,
    provider: str,
    options: Mapping[str, str],
    ssh: Mapping[str, str],
    least: int = 1,
    most: int = 20,
    zone: str = "Europe/Berlin",
    made_of: Mapping[str, str] = MappingProxyType({}),
    balancer: Sequence[str] = (),
) -> str:
    """deployment.yaml, in mode `observe`; `zone` is for the example of a schedule.

    `made_of` is what a webserver is made of; words in capitals alone make it an example. So is `balancer`, lines of
    YAML.
    """
    schedule = "".join(f"# {line}\n" for line in schedule_text(zone).splitlines())
    pending = all(value.isupper() for value in made_of.values())
    server = ["server:", *(f"  {key}: {_given(value)}" for key, value in (made_of or _SERVER).items())]
    built = "".join(f"{'# ' if pending else ''}{line}\n" for line in server)
    balanced = "".join(f"# {line}\n" for line in balancer or _BALANCER)
    own = "".join(f"  {key}: {_given(value)}\n" for key, value in options.items())
    if ssh:
        login = "  ssh:\n" + "".join(f"    {key}: {_quoted(value)}\n" for key, value in ssh.items())
    else:
        login = """\
  # ssh:                     # without this block nobody logs in, and `serving` alone judges
  #   user: root
  #   marker: /run/ready     # a file that exists once the webserver is built
  #   service: nginx         # a unit that must be active
"""
    return f"""\
# What all nodes share. `autoscaler doctor` checks it and tells each fault with its line.
format: 1

# Part of every webserver's name: ws-{pool}-1-0001
pool: {pool}

# observe: all is decided, journalled and said, no machine is touched. `autoscaler arm` makes it production.
# development: no autoscaling at all.
mode: observe

# How many autoscaler nodes share the fleet. NO_AUTOSCALERS in the Profile precedes it.
nodes: {nodes}

# The Profile may tighten these, never loosen them. max counts everything that may cost money.
limits:
  min: {least}
  max: {most}

# When the number changes by itself: `autoscaler schedule` shows the coming week.
{schedule}
# Who rents the webservers: `autoscaler providers` lists them and what each needs.
provider:
  name: {provider}
{own}
# What a webserver is made of, in the provider's words.
{built}
# Where visitors reach a webserver.
# port: 80

# Who sends visitors to the webservers: `autoscaler providers` lists them too.
{balanced}
# The health checks, ever stricter.
ladder:
  http:
    path: /
    # host: www.example.org  # Host header and TLS name of the site
    # tls: verified
    # accept: [200, 301, 302, 303]
{login}
# first-contact: believe the host key a webserver shows at its first connection, within its boot time.
# host_key: provider

# rules:                     # `autoscaler doctor --rules` shows all of them with the values in force
#   booting: 20 min
#   strikes: 2
"""


def machine_zone() -> str:
    """The IANA name of this machine's zone for an example; where it has none, some other."""
    from cron.localzone import local_zone
    from utilities.errors import Unreachable

    with suppress(Unreachable):
        return local_zone().key or "Europe/Berlin"
    return "Europe/Berlin"


def schedule_text(zone: str) -> str:
    """An example of the Deployment's `schedule`."""
    return f"""\
schedule:
  zone: {zone}
  entries:
    - {{name: morning, at: 07:30, days: mon-fri, up_to: 8}}     # never lowers
    - {{name: evening, at: 17:30, days: mon-fri, down_to: 3}}   # never raises
"""


def _quoted(text: str) -> str:
    """As YAML reads it back: plain where that is certain, else in JSON's quotes, which YAML knows."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)


def _given(text: str) -> str:
    """What was given as KEY=VALUE: a number and true or false are what they look like; quote it to mean text."""
    if _NUMBER.fullmatch(text) or text in ("true", "false") or (len(text) > 1 and text[0] == text[-1] == '"'):
        return text
    return _quoted(text)
