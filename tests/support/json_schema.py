"""Checks a value against the part of JSON Schema (draft 2020-12) that our schemas use; other keywords are errors."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

ANNOTATIONS = {"$schema", "title", "description"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def load_schema(name: str) -> dict[str, Any]:
    """One of those that are shipped."""
    text = resources.files("streamspike.outputs").joinpath("schemas", f"{name}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def find_faults(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """What is wrong with a value, each with its place; empty when it is valid."""
    faults: list[str] = []
    for keyword, rule in schema.items():
        if keyword not in ANNOTATIONS and not _holds(keyword, rule, value):
            faults.append(f"{where}: {keyword} {rule!r} does not hold for {value!r}")
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key in value:
                faults += find_faults(value[key], part, f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            faults += find_faults(item, schema["items"], f"{where}[{index}]")
    return faults


def _holds(keyword: str, rule: Any, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "type":
            return any(_has_type(value, name) for name in ([rule] if isinstance(rule, str) else rule))
        case "enum":
            return value in rule
        case "const":
            return bool(value == rule)
        case "required":
            return not isinstance(value, dict) or set(rule) <= set(value)
        case "minimum":
            return not is_number or value >= rule
        case "exclusiveMinimum":
            return not is_number or value > rule
        case "maximum":
            return not is_number or value <= rule
        case "minLength":
            return not isinstance(value, str) or len(value) >= rule
        case "pattern":
            return not isinstance(value, str) or re.search(rule, value) is not None
        case "properties" | "items":
            return True  # looked into by the caller
    raise AssertionError(f"this check does not know the keyword {keyword!r}")


def _has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])
