"""The published documents: up to date, valid by readers that are not ours, never changed, and their examples hold."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource

from daemon.contracts.registry import CONTRACTS
from tests.daemon.contracts.documents import FOLDER, PUBLISHED, digest, documents

HERE = Path(__file__).parent
GOLDEN = sorted((HERE / "golden").glob("*-*.[0-9].json"))
OPENAPI = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
ASYNCAPI = json.loads((FOLDER / "asyncapi.json").read_text(encoding="utf-8"))


def validator(document, pointer):
    """Of the part of a document that `pointer` names, references and all."""
    registry = Registry().with_resource(
        "urn:doc", Resource.from_contents(document, default_specification=_draft())
    )
    return jsonschema.Draft202012Validator({"$ref": f"urn:doc#{pointer}"}, registry=registry)


def _draft():
    from referencing.jsonschema import DRAFT202012

    return DRAFT202012


def test_what_is_in_the_repository_is_what_the_models_say():
    """After a change: python -m tests.daemon.contracts.documents."""
    kept = {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in FOLDER.rglob("*.json")
        if path != PUBLISHED
    }
    made = documents()

    assert made == {path: kept.get(path) for path in made}
    assert {path for path in kept if not path.startswith("schemas/")} <= set(made)


def test_a_published_schema_never_changes():
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    kept = {
        path.relative_to(FOLDER).as_posix(): digest(path.read_text(encoding="utf-8"))
        for path in (FOLDER / "schemas").glob("*.json")
    }

    assert published == kept


@pytest.mark.parametrize("path", sorted((FOLDER / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_each_schema_is_a_schema(path):
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_the_openapi_document_is_one():
    assert list(OpenAPIV31SpecValidator(OPENAPI).iter_errors()) == []


def test_every_endpoint_of_the_seeds_plan_is_there_and_ours_are_marked():
    plan = {
        ("/auth/register", "post"),
        ("/auth/login", "post"),
        ("/sessions/start", "post"),
        ("/sessions/{session_id}/end", "post"),
        ("/sessions/{session_id}/metrics", "post"),
        ("/sessions/{session_id}/waveform", "post"),
        ("/reports/upload", "post"),
        ("/users/{user_id}/sessions", "get"),
        ("/sessions/{session_id}/data", "get"),
    }
    operations = {
        (path, method): operation
        for path, ops in OPENAPI["paths"].items()
        for method, operation in ops.items()
    }

    assert plan == {place for place, said in operations.items() if not said.get("x-vitald-extension")}


def _examples():
    for path, operations in OPENAPI["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name, example in content.get("examples", {}).items():
                yield pytest.param(path, method, example["value"], id=f"{operation['operationId']}-{name}")


@pytest.mark.parametrize(("path", "method", "value"), list(_examples()))
def test_each_example_of_a_request_holds(path, method, value):
    escaped = path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    where = f"/paths/{escaped}/{method}/requestBody/content/application~1json/schema"

    validator(OPENAPI, where).validate(value)


def test_each_example_file_is_in_the_document():
    shown = sum(1 for _ in _examples())

    assert shown == len(list((HERE / "rest").glob("*.json")))


def test_the_asyncapi_document_hangs_together():
    """No validator of AsyncAPI is at hand: its skeleton, and every reference in it."""
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(ASYNCAPI["info"])
    for channel in ASYNCAPI["channels"].values():
        named = {part[1:-1] for part in channel["address"].split("/") if part.startswith("{")}
        assert named == set(channel["parameters"])
        assert len(channel["address"]) <= 256
        assert channel["address"].count("/") <= 7
    used = {
        operation["channel"]["$ref"].removeprefix("#/channels/")
        for operation in ASYNCAPI["operations"].values()
    }
    assert used == set(ASYNCAPI["channels"])
    references = list(_references(ASYNCAPI))
    assert references
    for reference in references:
        node = ASYNCAPI
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_each_golden_sample_is_valid_by_its_schema(path):
    sample = json.loads(path.read_text(encoding="utf-8"))
    schema = json.loads((FOLDER / "schemas" / path.name).read_text(encoding="utf-8"))
    envelope = json.loads((FOLDER / "schemas" / "envelope-1.0.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema).validate(sample["body"])
    jsonschema.Draft202012Validator(envelope).validate(sample)


@pytest.mark.parametrize("message", [m for m, contract in CONTRACTS.items() if not contract.down])
def test_each_golden_sample_is_valid_by_the_asyncapi_document(message):
    name = message.replace("/", "-")
    sample = json.loads((HERE / "golden" / f"{name}.0.json").read_text(encoding="utf-8"))

    validator(ASYNCAPI, f"/components/messages/{name}/payload").validate(sample)


@pytest.mark.parametrize(
    "name", [name for name in ASYNCAPI["components"]["messages"] if name.startswith("seed.")]
)
def test_each_example_of_the_roadmap_holds(name):
    message = ASYNCAPI["components"]["messages"][name]

    for example in message["examples"]:
        validator(ASYNCAPI, f"/components/messages/{name}/payload").validate(example["payload"])


def test_the_schemas_refuse_what_they_should():
    schema = json.loads((FOLDER / "schemas" / "ecg.metrics-1.0.json").read_text(encoding="utf-8"))
    sample = json.loads((HERE / "golden" / "ecg.metrics-1.0.json").read_text(encoding="utf-8"))["body"]
    check = jsonschema.Draft202012Validator(schema)

    for field, value in (
        ("heart_rate_bpm", -1),
        ("signal_quality", "fine"),
        ("is_recording", "yes"),
        ("st_uv", 3),
    ):
        assert not check.is_valid({**sample, field: value})
    assert check.is_valid({**sample, "a_field_of_tomorrow": 1})
    assert not check.is_valid({name: value for name, value in sample.items() if name != "signal_quality"})


def test_every_message_and_topic_is_in_the_manual():
    manual = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [message for message in CONTRACTS if f"`{message}`" not in manual] == []
    assert [c["address"] for c in ASYNCAPI["channels"].values() if f"`{c['address']}`" not in manual] == []
