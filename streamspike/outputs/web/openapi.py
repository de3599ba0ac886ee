"""Describes the API as OpenAPI 3.1, from the same table that the routes are made of."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from streamspike import __version__
from streamspike.outputs.web.answers import Answer, Failure
from streamspike.outputs.web.operations import JSON, OPERATIONS, Operation, Parameter

REASONS = {
    400: "A parameter or the body is wrong.",
    404: "There is no such thing.",
    503: "The store cannot be read, or too many pages are open.",
}


def describe_api() -> dict[str, Any]:
    """The document at /openapi.json."""
    found: set[type[Answer]] = {Failure, *(each.answer for each in OPERATIONS if each.answer is not None)}
    models = sorted(found, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(plain_path(operation.path), {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamspike",
            "version": __version__,
            "description": "What the cameras see, and what of it was a surprise. Times are UTC, surprise is in nats.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def plain_path(path: str) -> str:
    """A path without the convertors of its parameters."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _describe(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        schema: dict[str, Any] = {"type": "string"} if operation.media.startswith("text/") else {}
    else:
        schema = _reference(operation.answer.__name__)
    responses: dict[str, Any] = {
        "200": {"description": operation.summary, "content": {operation.media: {"schema": schema}}}
    }
    for status in operation.failures:
        content = {JSON: {"schema": _reference(Failure.__name__)}}
        responses[str(status)] = {"description": REASONS[status], "content": content}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_describe_parameter(parameter) for parameter in operation.parameters],
        "responses": responses,
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": operation.body}}}
    return described


def _describe_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "schema": parameter.schema,
        "description": parameter.description,
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
