"""Whether somebody may do what is asked: the one place where pages, acts and live sockets are let in.

Where the daemon does not answer, the bed's own screen has the rights that it has with nobody signed in, and everybody else has
none (docs/security.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from daemon.control.acting import Browser, serves
from daemon.control.client import NotAnswering, NotPermitted
from daemon.model.permissions import May
from daemon.words import say
from webui import access
from webui.pages import render
from webui.signed import ANSWERED_WITHIN_S, SIGNED_IN, SignedIn, asked_of, browser_of, people_of, refused

WATCHED_EVERY_S = 4.0
"""How often it is asked whether who looks at a live socket still may."""

log = logging.getLogger(__name__)


def guard() -> Middleware:
    """A middleware that lets in whoever may: each route needs what access.ROUTES says; one without a row is refused."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None:
            return await handler(request)  # there is no such page: 404 or 405
        if resource.canonical.startswith(access.MACHINES):
            return await handler(
                request
            )  # a machine's token counts there, and no cookie (webui/api/guard.py)
        method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
        needed = access.ROUTES.get((method, resource.canonical))
        if needed is None:
            log.error("no row in webui/access.py for %s %s: refused", method, resource.canonical)
            raise web.HTTPForbidden(text=say("access.refused") + "\n")
        if (method, resource.canonical) in access.ASKS_NOBODY:
            return await handler(request)
        browser = browser_of(request)
        signed = request[SIGNED_IN] = await asked_of(request.app).signed_in(browser)
        if not signed.may(needed):
            log.info("%s %s: not for %s from %s", method, resource.canonical, signed.role, request.remote)
            return await _refused(request, signed)
        with serves(browser), _watched(request, browser, needed):
            try:
                return await handler(request)
            except NotPermitted:
                return refused(request)

    return middleware


async def _refused(request: web.Request, signed: SignedIn) -> web.StreamResponse:
    is_page = request.method in {hdrs.METH_GET, hdrs.METH_HEAD} and not request.path.startswith("/api/")
    if not signed.known:
        if is_page and hdrs.UPGRADE not in request.headers:
            response = render(
                request, "refused.html", title=say("access.no_box"), why=say("access.no_box.help")
            )
            response.set_status(503)
        else:
            response = web.json_response({"error": "not_answering"}, status=503)
        response.headers[hdrs.RETRY_AFTER] = "2"
        return response
    if not is_page or hdrs.UPGRADE in request.headers:
        return refused(request)
    if signed.must_change:
        raise web.HTTPFound("/account")
    if not signed.person:
        raise web.HTTPFound(await _way_in(request))
    why = say("access.refused.help", name=signed.name, role=say(f"role.{signed.role}"))
    response = render(request, "refused.html", title=say("access.refused.title"), why=why)
    response.set_status(403)
    return response


async def _way_in(request: web.Request) -> str:
    with suppress(NotAnswering, TimeoutError):
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            if (await people_of(request).setup()).needed:
                return "/setup"
    return f"/sign-in?next={quote(request.rel_url.path_qs, safe='')}"


@contextmanager
def _watched(request: web.Request, browser: Browser, needed: May) -> Iterator[None]:
    """A socket stays open for hours: it ends when whoever looks may not any more."""
    if hdrs.UPGRADE not in request.headers or not browser.held:
        yield
        return

    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCHED_EVERY_S)
            signed = await asked_of(request.app).signed_in(browser)
            if signed.known and not signed.may(needed) and request.transport is not None:
                log.info("screen %s: may not look any more, closed", request.remote)
                request.transport.abort()
                return

    task = asyncio.create_task(watch(), name=f"web: may {request.remote} look")
    try:
        yield
    finally:
        task.cancel()
