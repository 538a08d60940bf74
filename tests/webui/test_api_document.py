"""The document of the box API: as the models say it, valid by a reader that is not ours, and no request made from it breaks the box."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from daemon.model.scopes import Scope
from tests.daemon.contracts.documents import FOLDER
from tests.webui._machines import machine_box
from webui.api import guard
from webui.api.table import ROUTES, document

MANUAL = Path(__file__).parents[2] / "docs" / "api.md"

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

EXAMPLES = 8
"""Requests made up for each route: so many keep the whole below half a minute."""


def test_what_is_published_is_what_the_models_say():
    """After a change: python -m tests.daemon.contracts.documents."""
    assert json.loads((FOLDER / "box-api.json").read_text(encoding="utf-8")) == document()


def test_it_is_an_openapi_document():
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_and_scope_is_in_it_and_in_the_manual():
    made = document()
    manual = MANUAL.read_text(encoding="utf-8")
    for route in ROUTES:
        operation = made["paths"][route.path][route.method.lower()]
        assert operation["x-scopes"] == list(route.scopes)
        assert f"`{route.path}`" in manual, route.path
    assert {scope for scope in Scope if f"`{scope}`" not in manual} == set()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A box on a thread of its own, and a token that is good for everything."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = machine_box(tmp_path_factory.mktemp("fuzzed"))

    def done(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    box = done(context.__aenter__())
    yield box.url, done(box.token())
    done(context.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture
def unhurried(monkeypatch):
    monkeypatch.setattr(guard.Buckets, "wait_s", lambda self, name: 0.0)  # noqa: ARG005 - as the method


def operations():
    return [route for route in ROUTES if route.media != "websocket" and route.path != "/openapi.json"]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("route", operations(), ids=lambda route: f"{route.method} {route.path}")
def test_no_request_breaks_it(running, unhurried, route):  # noqa: ARG001 - the rate is another test's
    """Good and bad requests that schemathesis makes from the document: never a 5xx, and what is answered is what is promised."""
    url, token = running
    operation = schemathesis.openapi.from_dict(document())[route.path][route.method]
    headers = {"Authorization": f"Bearer {token}"}
    with requests.Session() as session:
        for mode in schemathesis.GenerationMode:
            _send(operation, mode, f"{url}api/v1", headers, session)


def _send(operation, mode, base, headers, session):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def sent(case):
        response = case.call(base_url=base, headers=headers, session=session, timeout=20)
        case.validate_response(response, checks=CHECKS)

    try:
        sent()
    except Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE  # what takes no parameter cannot be asked wrongly


@pytest.mark.slow
def test_the_examples_of_the_manual_work(running, unhurried):  # noqa: ARG001 - the rate is another test's
    """Each command as it stands there, but for the name of a session that this box has."""
    url, token = running
    bearer = {"Authorization": f"Bearer {token}"}
    newest = requests.get(f"{url}api/v1/sessions?limit=1", headers=bearer, timeout=20).json()["sessions"][0]
    blocks = re.findall(r"```sh\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]
    curl = shutil.which("curl")
    if curl is None:
        assert os.environ.get("CI") != "true", "curl is not installed"
        pytest.skip("curl is not installed")

    assert len(commands) >= 8
    for command in commands:
        text = command.replace("session_20260108_123456", newest["session"])
        environment = {"PATH": os.environ["PATH"], "BOX": url.rstrip("/"), "TOKEN": token}
        done = subprocess.run(
            ["sh", "-c", text], env=environment, capture_output=True, text=True, check=False
        )
        told = json.loads(done.stdout)
        if command.endswith('/confirm"'):  # that device is not at this box
            assert told["code"] == "refused"
        else:
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            assert "code" not in told
