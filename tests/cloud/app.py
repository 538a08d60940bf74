"""The web application: routes, faults to order, its life."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.contracts.rest.v1 import Fault
from tests.cloud import page
from tests.cloud.api import accounts, admin, devices, reports, sessions, uploads
from tests.cloud.api.calls import route
from tests.cloud.database import opened
from tests.cloud.state import STATE, State

BASE = "/api/v1"
HANG_S = 3600.0


def application(state: State) -> web.Application:
    # The limit of bodies is checked by hand, so that it can be changed while it runs.
    app = web.Application(middlewares=[_faulty], client_max_size=1 << 30)
    app[STATE] = state
    route(app, "POST", f"{BASE}/auth/register", accounts.register, opened=True)
    route(app, "POST", f"{BASE}/auth/login", accounts.login, opened=True)
    route(app, "POST", f"{BASE}/auth/refresh", accounts.refresh, opened=True)
    route(app, "POST", f"{BASE}/sessions/start", sessions.start)
    route(app, "POST", f"{BASE}/sessions/{{session_id}}/end", sessions.end)
    route(app, "GET", f"{BASE}/sessions/{{session_id}}/data", sessions.data)
    route(app, "GET", f"{BASE}/users/{{user_id}}/sessions", sessions.of_user)
    route(app, "POST", f"{BASE}/sessions/{{session_id}}/metrics", uploads.metrics)
    route(app, "POST", f"{BASE}/devices/{{serial}}/metrics", uploads.device_metrics)
    for place in ("sessions/{session_id}", "devices/{serial}"):
        route(app, "POST", f"{BASE}/{place}/waveform", uploads.waveform)
        route(app, "POST", f"{BASE}/{place}/events", uploads.event)
    route(app, "POST", f"{BASE}/errors", uploads.error)
    route(app, "POST", f"{BASE}/records", uploads.records)
    route(app, "POST", f"{BASE}/reports/upload", reports.upload)
    devices.routes(app, BASE)
    admin.routes(app)
    app.router.add_get("/", page.show)
    app.router.add_get("/reports/{report_id}", page.report)
    return app


@web.middleware
async def _faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    state = request.app[STATE]
    if not request.path.startswith(BASE):
        return await handler(request)
    body = b""
    if not request.content_type.startswith("multipart/"):
        try:
            body = await request.read()
        except (ValueError, web.HTTPException):
            return _refusal(400, "the body cannot be read")
    if len(body) > state.max_bytes:
        return _refusal(413, f"more than {state.max_bytes} bytes")
    rule = state.faults.hit(request.path, body)
    if rule is None:
        return await handler(request)
    match rule.do:
        case "reset":
            _cut(request)
        case "hang":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_gone(request), HANG_S)
        case "lost":
            await handler(request)
            _cut(request)
        case "known":
            return _refusal(409, "it is here already", key=request.headers.get("Idempotency-Key"))
        case "refuse":
            return _refusal(422, "this is refused", field="body")
        case "status":
            headers = {"Retry-After": rule.retry_after} if rule.retry_after else {}
            return _refusal(rule.status, "as ordered", headers=headers)
    return web.Response(status=500)  # nobody hears it any more


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _gone(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.05)


def _refusal(
    status: int,
    error: str,
    *,
    field: str | None = None,
    key: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    told = Fault(error=error, field=field, key=key).model_dump(exclude_none=True)
    return web.Response(
        body=json.dumps(told).encode(), status=status, headers=headers, content_type="application/json"
    )


@dataclass(frozen=True)
class Running:
    """A cloud that serves: `url` of its page, `base` of its REST side."""

    url: str
    dsn: str
    state: State

    @property
    def base(self) -> str:
        return self.url + BASE


@contextlib.asynccontextmanager
async def serving(
    dsn: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_keys: dict[str, str] | None = None,
    idempotent: bool = True,
) -> AsyncIterator[Running]:
    """A cloud on this database, in this event loop."""
    pool = await opened(dsn, idempotent=idempotent)
    state = State(pool, api_keys=api_keys or {}, idempotent=idempotent)
    runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=0.5)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield Running(f"http://{host}:{bound}", dsn, state)
    finally:
        await runner.cleanup()
        await pool.close()
