"""Routes and schemas as Google publishes them: which URL is which method, and whether a body is one it could send."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one API, from its discovery document."""

    id: str
    """As in `compute.snapshots.list`."""
    http: str
    path: re.Pattern[str]
    request: str | None
    response: str
    query: frozenset[str]
    schemas: Mapping[str, Any]

    def refused(self, body: Any) -> list[str]:
        """What is wrong with a request's body; empty if nothing."""
        return [] if self.request is None else list(violations(body, {"$ref": self.request}, self.schemas))

    def writable(self, body: Any) -> Any:
        """A request's body without the output-only fields, which the real API ignores as well."""
        fields = self.schemas[self.request].get("properties", {}) if self.request else {}
        return {name: value for name, value in body.items() if not fields.get(name, {}).get("readOnly")}

    def unlike(self, body: Any) -> list[str]:
        """How an answer differs from what the real API could send; empty if it does not."""
        return list(violations(body, {"$ref": self.response}, self.schemas))


@cache
def methods() -> tuple[Method, ...]:
    """Every method the sandbox serves: those of every document in the folder."""
    found = []
    folder = files("snapbase.sandbox.gcp").joinpath("discovery")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        document = json.loads(file.read_text(encoding="utf-8"))
        for method_id, method in document["methods"].items():
            found.append(
                Method(
                    id=method_id,
                    http=method["httpMethod"],
                    path=_pattern("/" + document["servicePath"] + method["flatPath"]),
                    request=method.get("request"),
                    response=method["response"],
                    query=frozenset(method["query"]),
                    schemas=document["schemas"],
                )
            )
    return tuple(found)


def route(http: str, path: str) -> tuple[Method, dict[str, str]] | None:
    """The method behind a request, with the parameters of its path; None where there is none."""
    for method in methods():
        if method.http == http and (match := method.path.fullmatch(path)):
            return method, match.groupdict()
    return None


def violations(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Where `value` breaks `schema`: unknown fields, wrong types, unknown enum values, int64 sent as a number."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type", "any")
    if kind == "object":
        yield from _object_violations(value, schema, schemas, at)
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{at}: not a list"
            return
        for index, item in enumerate(value):
            yield from violations(item, schema["items"], schemas, f"{at}[{index}]")
    elif kind != "any" and (wrong := _scalar_violation(value, kind, schema)):
        yield f"{at}: {wrong}"


def _object_violations(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: not an object"
        return
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        if name in properties:
            yield from violations(item, properties[name], schemas, f"{at}.{name}")
        elif others is not None:
            yield from violations(item, others, schemas, f"{at}.{name}")
        elif properties:
            yield f"{at}: unknown field {name}"


def _scalar_violation(value: Any, kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "boolean":
        return "" if isinstance(value, bool) else "not a boolean"
    if kind in ("integer", "number"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number else "not a number"
    if not isinstance(value, str):
        return "an int64 is sent as a string" if schema.get("format", "").endswith("int64") else "not a string"
    if schema.get("format", "").endswith("int64") and not value.lstrip("-").isdigit():
        return "not an int64"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value} is not one of {', '.join(schema['enum'])}"
    return ""


def _pattern(path: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(path)
    named = (f"(?P<{part}>[^/:]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile("".join(named))
