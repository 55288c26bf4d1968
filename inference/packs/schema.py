# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks a value against the part of JSON Schema (draft 2020-12) that pack.schema.json uses.

``jsonschema`` is not in QGIS's Python, so the few keywords are checked here; a test holds the two
to the same verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

KEYWORDS = {
    *("$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "required"),
    *("properties", "additionalProperties", "items", "minItems", "minProperties", "minLength"),
    *("maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
}
"""What this module understands. A test refuses a schema that uses anything else."""


@lru_cache(maxsize=1)
def pack_schema() -> Mapping[str, Any]:
    """The schema of pack.json, format 1."""
    text = Path(__file__).with_name("pack.schema.json").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def first_problem(value: Any, schema: Mapping[str, Any]) -> Optional[str]:
    """The first thing that is wrong with ``value``, as ``path: what``; None when it is valid."""
    for problem in _problems(value, schema, schema, ""):
        return problem
    return None


def _is_type(value: Any, name: str) -> bool:
    if name == "integer":
        whole = isinstance(value, float) and value.is_integer()
        return whole or (isinstance(value, int) and not isinstance(value, bool))
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    kinds = {"string": str, "object": dict, "array": list, "boolean": bool}
    return isinstance(value, kinds[name])


def _problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    where = path or "the top level"
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        yield from _problems(value, root["$defs"][name], root, path)
    # True equals 1 in Python, not in JSON.
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        yield f"{where}: must be {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: must be one of {', '.join(schema['enum'])}"
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_is_type(value, name) for name in types):
            yield f"{where}: must be of type {' or '.join(types)}"
            return
    if isinstance(value, dict):
        yield from _object_problems(value, schema, root, path)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{where}: needs at least {schema['minItems']} item"
        for i, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), root, f"{path}[{i}]")
    elif isinstance(value, str):
        yield from _string_problems(value, schema, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_problems(value, schema, where)


def _object_problems(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[str]:
    where = path or "the top level"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: {name!r} is missing"
    if len(value) < schema.get("minProperties", 0):
        yield f"{where}: must not be empty"
    known = schema.get("properties", {})
    extra = schema.get("additionalProperties", {})
    for name, item in value.items():
        if name in known:
            yield from _problems(item, known[name], root, f"{path}.{name}".lstrip("."))
        elif extra is False:
            yield f"{where}: {name!r} is not known"
        else:
            yield from _problems(item, extra, root, f"{path}.{name}".lstrip("."))


def _string_problems(value: str, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{where}: must not be empty"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{where}: is longer than {schema['maxLength']} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value[:40]!r} has the wrong form"


def _number_problems(value: float, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where}: must be at least {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{where}: must be at most {schema['maximum']}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{where}: must be greater than {schema['exclusiveMinimum']}"
