"""A vendor's official API description, cut to what a fake serves, and what it says against a request or an answer.

The descriptions are not ours to commit: they lie beside the checkout in `shared/openapi/<vendor>.json.gz`, or where
AUTOSCALER_OPENAPI says. Where they are absent, whoever wants one is skipped with that reason.

    overlays/<vendor>.json     [{"at": JSON pointer, "value": ..., "source": where that is told}]: what is added. Or a
                               whole description (an object), for a vendor that has published none.
    exceptions/<vendor>.json   [{"about": "request" or "answer", "route": "GET /x", "says": a part of the complaint,
                               "reason": ...}]: where the description itself is known to be wrong.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
#: The suite's conftest takes all other AUTOSCALER_* out of the tests' environment.
FOLDER = Path(os.environ.get("AUTOSCALER_OPENAPI") or HERE.parents[2] / "shared/openapi")

Route = tuple[str, str]  # (method, path template as the description writes it)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_ONE_KIND = {"title", "description", "example", "examples", "x-internal", "deprecated"}


class _Asked:
    """A request in openapi-core's words."""

    def __init__(
        self, method: str, path: str, query: list[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> None:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict

        self.host_url, self.path, self.method = "http://vendor", path, method.lower()
        self.parameters = RequestParameters(ImmutableMultiDict(query), Headers(dict(headers)))
        self.content_type = headers.get("content-type", "").lower()
        self.body = body or None


class Description:
    """One vendor's, for some routes."""

    def __init__(self, vendor: str, document: dict[str, Any], routes: Iterable[Route]) -> None:
        self.vendor = vendor
        self._document = document
        self._queries: dict[Route, set[str]] = {}
        self._cores = {route: self._core(route) for route in routes}
        self.exceptions = _exceptions(vendor)

    def against_request(
        self,
        route: Route,
        path: str,
        query: list[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> list[str]:
        """Every complaint. `path` as in the description's templates."""
        said = [f"unknown query parameter {k!r}" for k in sorted({k for k, _ in query} - self._queries[route])]
        asked = _Asked(route[0], path, query, headers, body)
        said += [_told(err) for err in self._cores[route].iter_request_errors(asked)]
        if body and "requestBody" not in self._operation(route):
            said.append("a body, where the description has none")
        return self._excepted("request", route, said)

    def against_answer(self, route: Route, status: int, body: Any) -> list[str]:
        """What it lacks, and what is of another type; null is allowed everywhere, more fields are, too."""
        responses = self._operation(route)["responses"]
        keys = (str(status), f"{str(status)[0]}XX", f"{str(status)[0]}xx", "default")
        found = next((responses[key] for key in keys if key in responses), None)
        if found is None:
            known = ", ".join(responses)
            return self._excepted("answer", route, [f"status {status}, where the description has {known}"])
        content = self._resolved(found).get("content", {}).get("application/json")
        if body is None or content is None:
            lacks = content is not None and body is None
            return self._excepted("answer", route, [f"status {status} without a body"] if lacks else [])
        return self._excepted("answer", route, self._lacks(content.get("schema", {}), body, "answer"))

    # --- inside ---

    def _excepted(self, about: str, route: Route, said: list[str]) -> list[str]:
        name = " ".join(route)
        known = [e["says"] for e in self.exceptions if e["about"] == about and e["route"] in (name, "*")]
        return [f"{name}: {one}" for one in said if not any(part in one for part in known)]

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            node = _at(self._document, node["$ref"].removeprefix("#"))
        return node

    def _operation(self, route: Route) -> dict[str, Any]:
        method, template = route
        try:
            operation: dict[str, Any] = self._document["paths"][template][method.lower()]
        except KeyError:
            raise LookupError(f"{self.vendor} describes no {method} {template}") from None
        return operation

    def _core(self, route: Route) -> Any:
        """openapi-core's view of this route alone, all of it without references."""
        from openapi_core import Config, OpenAPI

        method, template = route
        whole = self._document["paths"].get(template, {})
        operation = copy.deepcopy(self._operation(route))
        parameters = [self._inlined(p) for p in [*whole.get("parameters", []), *operation.get("parameters", [])]]
        operation["parameters"] = list({(p["name"], p["in"]): p for p in parameters}.values())
        if "requestBody" in operation:
            operation["requestBody"] = self._inlined(operation["requestBody"])
        operation["responses"] = {"default": {"description": ""}}
        for word in ("security", "servers"):  # credentials are the fake's affair, and so is where it listens
            operation.pop(word, None)
        self._queries[route] = {p["name"] for p in parameters if p["in"] == "query"}
        document = {
            "openapi": self._document["openapi"],
            "info": {"title": self.vendor, "version": "1"},
            "servers": [{"url": "http://vendor"}],
            "paths": {template: {method.lower(): operation}},
        }
        config = Config(spec_validator_cls=None, additional_properties_default_policy="forbid")
        return OpenAPI.from_dict(document, config=config)

    def _inlined(self, node: Any, above: tuple[str, ...] = ()) -> Any:
        """Without references (one that leads to itself allows anything), every allOf flattened into one object:

        openapi-core would forbid in each of its parts what stands in the others.
        """
        if isinstance(node, list):
            return [self._inlined(item, above) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            ref = node["$ref"]
            return {} if ref in above else self._inlined(_at(self._document, ref.removeprefix("#")), (*above, ref))
        made = {key: self._inlined(value, above) for key, value in node.items() if key not in ("example", "examples")}
        made.pop("discriminator", None)  # it names references
        return _flattened(made) if isinstance(made.get("allOf"), list) else made

    def _lacks(self, schema: Any, value: Any, where: str) -> list[str]:
        schema = self._resolved(schema)
        if value is None or not isinstance(schema, dict):
            return []
        said = [one for part in schema.get("allOf", []) for one in self._lacks(part, value, where)]
        for choice in (schema.get("oneOf"), schema.get("anyOf")):
            tried = [self._lacks(part, value, where) for part in choice or []]
            if tried and all(tried):
                said += min(tried, key=len)
        kind = _TYPES.get(str(schema.get("type")))
        wrong = kind is not None and not isinstance(value, kind)
        if wrong or (kind in (int, (int, float)) and isinstance(value, bool)):
            return [*said, f"{where} is {value!r}, expected {schema['type']}"]
        if isinstance(value, dict):
            said += [f"{where} lacks {key!r}" for key in schema.get("required", []) if key not in value]
            for key, part in schema.get("properties", {}).items():
                said += self._lacks(part, value.get(key), f"{where}.{key}")
        elif isinstance(value, list):
            for n, item in enumerate(value):
                said += self._lacks(schema.get("items", {}), item, f"{where}[{n}]")
        words = schema.get("enum")
        if words and isinstance(value, str) and value not in words:
            said.append(f"{where} is {value!r}, expected one of {words}")
        return said


def _flattened(schema: dict[str, Any]) -> dict[str, Any]:
    whole = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        for key, value in part.items():
            if key == "properties":
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required":
                whole[key] = sorted({*whole.get(key, []), *value})
            elif key in ("oneOf", "anyOf") and key in whole:
                continue  # two choices at once: the first is kept
            else:
                whole.setdefault(key, value)
    for key in ("oneOf", "anyOf"):  # a choice beside properties: each choice gets them all
        if isinstance(whole.get(key), list) and whole.get("properties"):
            rest = {k: v for k, v in whole.items() if k not in ("oneOf", "anyOf")}
            parts = [_flattened({**rest, "allOf": [rest, part]}) for part in whole[key]]
            return {**{k: v for k, v in whole.items() if k in _ONE_KIND}, "anyOf": parts}
    return whole


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _told(err: BaseException) -> str:
    """An error of openapi-core on one line: the schema's complaints where it has them, else all its causes."""
    parts: list[str] = []
    cause: BaseException | None = err
    while cause is not None:
        inner = [one for error in getattr(cause, "schema_errors", []) for one in _leaves(error)]
        if inner:
            return "; ".join([str(err).partition(":")[0], *inner])[:1500]
        parts.append(str(cause))
        cause = cause.__cause__
    return re.sub(r"\s+", " ", "; ".join(dict.fromkeys(parts)))[:1500]


def _leaves(error: Any) -> list[str]:
    """Of a choice of schemas, what the nearest of them complains of."""
    if error.context:
        choices: dict[Any, list[Any]] = {}
        for one in error.context:
            choices.setdefault(one.schema_path[0], []).append(one)
        return [leaf for one in min(choices.values(), key=len) for leaf in _leaves(one)]
    where = ".".join(map(str, error.absolute_path))
    return [f"{where or 'body'}: {error.message}"]


def _overlay(vendor: str) -> Any:
    path = HERE / f"overlays/{vendor}.json"
    return json.loads(path.read_text()) if path.exists() else []


def _exceptions(vendor: str) -> list[dict[str, str]]:
    path = HERE / f"exceptions/{vendor}.json"
    found: list[dict[str, str]] = json.loads(path.read_text()) if path.exists() else []
    for one in found:
        assert {"about", "route", "says", "reason"} == set(one), one
    return found


@cache
def document(vendor: str) -> dict[str, Any]:
    """The whole description with its overlay; read once in a session. Skips where it is absent."""
    overlay = _overlay(vendor)
    if isinstance(overlay, dict):
        return overlay
    path = FOLDER / f"{vendor}.json.gz"
    if not path.exists():
        pytest.skip(f"no official API description at {path} (AUTOSCALER_OPENAPI names another folder)")
    with gzip.open(path) as file:
        read: dict[str, Any] = json.load(file)
    for one in overlay:
        assert {"at", "value", "source"} == set(one), one
        above, _, last = one["at"].rpartition("/")
        node, last = _at(read, above), last.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node.append(one["value"])
        else:
            node[last] = one["value"]
    return read


@cache
def describe(vendor: str, routes: frozenset[Route]) -> Description:
    """Made once in a session for a vendor's routes."""
    return Description(vendor, document(vendor), routes)
