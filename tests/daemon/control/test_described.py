"""The document of the control API: every route of the running daemon and none besides, and no request made from it breaks the daemon."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error

from benchmarks._box import Box
from daemon.config import load
from daemon.main import Daemon
from tests.daemon.contracts.documents import FOLDER
from tests.daemon.control.described import ROUTES, document

EXAMPLES = 2
"""Requests made up for each route, good and bad ones each: so many keep the whole at some ten seconds. `./dev soak` makes more."""

NOT_ASKED = {("GET", "/live"), ("GET", "/tap"), ("POST", "/proof")}
"""A WebSocket, a stream of bytes, and what sounds an alarm for half a minute."""


def test_what_is_published_is_what_the_models_say():
    """After a change: python -m tests.daemon.contracts.documents."""
    assert json.loads((FOLDER / "control-api.json").read_text(encoding="utf-8")) == document()


def test_it_is_an_openapi_document():
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_of_the_daemon_is_in_it_and_none_besides(tmp_path):
    """The daemon as it is composed, not started; the server's own routes by its source."""
    config = tmp_path / "vitald.toml"
    config.write_text(
        f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[beds.1]\n', encoding="utf-8"
    )
    app = web.Application()
    daemon = Daemon(load(config))
    for routes in daemon._server._more:
        routes.add_to(app)
    daemon._signing._passwords.close()
    found = {(one.method, one.resource.canonical) for one in app.router.routes() if one.method != "HEAD"}
    own = {
        ("GET", "/live"),
        ("GET", "/status"),
        ("GET", "/limits"),
        ("POST", "/command"),
        ("POST", "/screens"),
    }
    assert {(route.method, route.path) for route in ROUTES} == found | own


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """The address of a running daemon's socket, carried over to the loopback."""
    folder = tmp_path_factory.mktemp("control")
    box = Box(folder)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    try:
        box.start_simulators()
        box.start_daemon()
        thread.start()
        server = asyncio.run_coroutine_threadsafe(_carried(folder / "run" / "control.sock"), loop).result(60)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asyncio.run_coroutine_threadsafe(_ended(server), loop).result(20)
    finally:
        box.__exit__()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _ended(server):
    server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _carried(socket):
    async with asyncio.timeout(50):
        while not socket.exists():
            await asyncio.sleep(0.05)

    async def pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def carry(reader, writer):
        there_reader, there_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer), return_exceptions=True)

    return await asyncio.start_server(carry, "127.0.0.1", 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_request_breaks_it(daemon):
    """Good and bad requests that schemathesis makes from the document, as the console, who may do everything: never a 5xx."""
    schema = schemathesis.openapi.from_dict(document())
    with requests.Session() as session:
        session.headers["Connection"] = "close"
        for route in ROUTES:
            if (route.method, route.path) in NOT_ASKED:
                continue
            for mode in schemathesis.GenerationMode:
                _send(schema[route.path][route.method], mode, daemon, session)
        assert session.get(f"{daemon}/status", timeout=60).json()["beds"]


def _send(operation, mode, base, session):
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
        response = case.call(base_url=base, session=session, timeout=60)
        case.validate_response(response, checks=[not_a_server_error])

    try:
        sent()
    except Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE  # what takes nothing cannot be asked wrongly
