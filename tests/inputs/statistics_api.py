"""The contract of the statistics API: what a request and an answer may be, and examples of its own making.

`statistics_api.json` is the department's OpenAPI document, cut to what the client calls; the client has no part in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

CONTRACT = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
PREFIX = "/statistics"  # where the department serves the API


def plain(schema: Any) -> Any:
    """Turn a schema of OpenAPI 3.0 into one of JSON Schema: references resolved, `nullable` and `allOf` worked in.

    Closed parts of an `allOf` refuse one another's properties as they are written; together they mean one object.
    """
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return plain(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    made = {
        name: {key: plain(one) for key, one in value.items()} if name == "properties" else plain(value)
        for name, value in schema.items()
        if name not in ("allOf", "nullable", "example")
    }
    for part in plain(schema.get("allOf", [])):
        merged = {"properties": {**made.get("properties", {}), **part.get("properties", {})}}
        merged["required"] = [*made.get("required", []), *part.get("required", [])]
        made |= part | {name: value for name, value in merged.items() if value}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


def example(schema: Any) -> Any:
    """Make what a schema describes from the examples the contract gives, `null` where it gives none and may be."""
    if "$ref" in schema:
        return example(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "example" in schema:
        return schema["example"]
    if "allOf" in schema:
        several = [example(one) for one in schema["allOf"]]
        return (
            several[0] if len(several) == 1 else {key: value for one in several for key, value in one.items()}
        )
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: example(one) for name, one in schema.get("properties", {}).items()}
    return {"array": [], "string": "", "integer": 0, "boolean": False}[schema["type"]]


def model(name: str, **figures: Any) -> dict[str, Any]:
    """Return the contract's example of a schema with figures of a test in it."""
    return example(SCHEMAS[name]) | figures


def _broken(value: Any, schema: Any, *, where: str) -> list[str]:
    validator = Draft202012Validator(plain(schema), format_checker=FormatChecker())
    return [f"{where}: {one.json_path}: {one.message[:300]}" for one in validator.iter_errors(value)]


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    """Return what the contract says of an address; None where it is none of the API's."""
    for template, methods in CONTRACT["paths"].items():
        if re.fullmatch(PREFIX + re.sub(r"\{\w+\}", "[^/]+", template), path):
            return methods.get(method.lower(), {})
    return None


def broken_request(asked: Any) -> list[str]:
    """Say in what a request breaks the contract."""
    of = operation(asked.method, asked.path)
    if of is None:
        return []
    where = f"{asked.method} {asked.path}"
    if not of:
        return [f"{where}: no such operation"]
    known = {one["name"]: one["schema"] for one in of["parameters"] if one["in"] == "query"}
    broken = [f"{where}: no parameter {name}" for name in asked.query if name not in known]
    for name in set(asked.query) & set(known):
        broken += _broken(asked.query[name], known[name], where=f"{where}?{name}")
    if asked.body is not None or "requestBody" in of:
        schema = of.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", False)
        broken += _broken(asked.body, schema, where=where)
    return broken


def broken_answer(asked: Any, content: Any, *, status: int) -> list[str]:
    """Say in what an answer breaks the contract."""
    of = operation(asked.method, asked.path)
    answers = of["responses"].get(str(status), {}).get("content", {}) if of else {}
    schema = answers.get("application/json", {}).get("schema")
    return [] if schema is None else _broken(content, schema, where=f"{status} of {asked.path}")
