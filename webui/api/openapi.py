"""The OpenAPI document of the API, made from the routes and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from daemon.model.scopes import Scope
from webui.api.problems import CODES, MEDIA, Problem
from webui.api.routes import BASE, LONGEST_PART, Route

VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{model}"
_ALWAYS: Final = (
    "no_token",
    "forbidden",
    "not_known_here",
    "parameters",
    "bad_request",
    "too_many",
    "timeout",
    "box_silent",
)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    routes = tuple(routes)
    schemas = _schemas(routes)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vitald box API",
            "version": VERSION,
            "description": "What a box at the bed tells machines (docs/api.md). Within version 1 fields and routes are added and none is taken away.",
        },
        "servers": [{"url": BASE}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {code: _problem(code) for code in sorted(CODES)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A machine's token with scopes: " + ", ".join(Scope),
                }
            },
        },
    }


def _schemas(routes: tuple[Route, ...]) -> dict[str, Any]:
    models: set[type[BaseModel]] = {Problem}
    models |= {model for route in routes for model in (route.answer, route.body) if model is not None}
    inputs = {route.body for route in routes}
    wanted = [
        (model, "validation" if model in inputs else "serialization")
        for model in sorted(models, key=lambda model: model.__name__)
    ]
    _, made = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]  # the two words are the modes
    found: dict[str, Any] = made["$defs"]
    return dict(sorted(found.items()))


def _operation(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip(),
        "security": [{"token": [str(scope) for scope in route.scopes]}],
        "x-scopes": [str(scope) for scope in route.scopes],
        "parameters": [*_parts(route), *_query(route)],
        "responses": _responses(route),
    }
    if route.body is not None:
        schema = {"$ref": _REF.format(model=route.body.__name__)}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if route.method == "POST":
        made["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key again does nothing and answers as before",
                "schema": {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[!-~]+$"},
            }
        )
    return made


def _name(route: Route) -> str:
    words = re.sub(r"[{}.]", "", route.path).strip("/").replace("/", "_")
    return f"{route.method.lower()}_{words}"


def _parts(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_PART},
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    schema = route.query.model_json_schema(ref_template=_REF)
    found = []
    for name, one in schema.get("properties", {}).items():
        told = {key: value for key, value in one.items() if key not in {"title", "description"}}
        options = told.get("anyOf")
        if options:  # what may be left out is left out, and not given as null
            (kept,) = [option for option in options if option.get("type") != "null"]
            told = {key: value for key, value in kept.items() if key not in {"title", "description"}}
        parameter = {"name": name, "in": "query", "required": False, "schema": told}
        if text := one.get("description") or (options and options[0].get("description")):
            parameter["description"] = text
        found.append(parameter)
    return found


def _responses(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if route.media == "websocket":
        made["101"] = {"description": "The socket is open; docs/api.md says what travels"}
    elif route.answer is None:
        schema = (
            {"type": "object"}
            if route.media == "application/json"
            else {"type": "string", "format": "binary"}
        )
        made["200"] = {"description": "As asked for", "content": {route.media: {"schema": schema}}}
    else:
        schema = {"$ref": _REF.format(model=route.answer.__name__)}
        made["200"] = {"description": "As asked for", "content": {"application/json": {"schema": schema}}}
    if route.method == "GET" and route.media != "websocket":
        made["304"] = {"description": "Nothing is new (If-None-Match)"}
    by_status: dict[int, list[str]] = {}
    for code in sorted({*_ALWAYS, *route.problems}):
        by_status.setdefault(CODES[code][0], []).append(code)
    for status, codes in sorted(by_status.items()):
        made[str(status)] = {"$ref": f"#/components/responses/{codes[0]}"}
    return made


def _problem(code: str) -> dict[str, Any]:
    status, title = CODES[code]
    return {
        "description": f"{title} ({status}, {code})",
        "content": {MEDIA: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
