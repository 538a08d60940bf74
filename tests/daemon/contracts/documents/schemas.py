"""JSON Schemas (2020-12) of the messages: one file a version, and the same as components of the other documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from daemon.contracts.envelope import Envelope
from daemon.contracts.registry import CONTRACTS

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def files() -> dict[str, Json]:
    """Name ("ecg.metrics-1.0") -> its schema, complete in itself; the envelope's beside them."""
    made = {"envelope-1.0": _file("envelope-1.0", Envelope)}
    for message, contract in CONTRACTS.items():
        name = f"{message.replace('/', '-')}.{contract.minor}"
        made[name] = _file(name, contract.model)
    return made


def _file(name: str, model: type[BaseModel]) -> Json:
    schema = _bare(model.model_json_schema())
    return {"$schema": DIALECT, "$id": f"urn:vitald:contract:{name}", "title": name, **schema}


def components(models: dict[str, type[BaseModel]]) -> Json:
    """Component name -> schema; what a model refers to becomes a component too, named after the same service."""
    made: Json = {}
    for name, model in models.items():
        scope = name.rpartition(".")[0]
        prefix = f"{scope}." if scope else ""
        schema = model.model_json_schema(ref_template=f"#/components/schemas/{prefix}{{model}}")
        for inner, definition in schema.pop("$defs", {}).items():
            made[prefix + inner] = _bare(definition)
        made[name] = _bare(schema)
    return made


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _bare(schema: Any) -> Any:
    """Without the titles that pydantic makes of names: they say nothing that the name does not."""
    if isinstance(schema, dict):
        titled = isinstance(schema.get("title"), str)
        return {name: _bare(value) for name, value in schema.items() if not (titled and name == "title")}
    if isinstance(schema, list):
        return [_bare(value) for value in schema]
    return schema
