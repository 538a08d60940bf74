"""Who may talk to the web process, and what its answers allow a browser to do.

A page of another site must neither read from the box nor act on it. A request is taken only under a name that is ours
(DNS rebinding needs a name of the attacker's; an address written in digits cannot be rebound), and what changes
something or opens a socket must come from a page of ours (its Origin is the Host it speaks to).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from webui.access import MACHINES, STREAMED

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
    "X-Frame-Options": "DENY",
}


LARGEST_BODY = 64 * 1024
"""Bytes of a request's body, where its handler does not take uploads."""

HEAD_WITHIN_S = 10.0
"""A connection that has brought no whole head of a request by then is closed (aiohttp's keep-alive, from its beginning on)."""

BODY_WITHIN_S = 10.0

LINGERS_S = 1.0
"""So long the rest of a body that was refused is thrown away, for the answer to arrive; then the connection is closed."""


def own_names(host: str) -> frozenset[str]:
    """The names under which this machine may be addressed: `host` of the configuration, its own name, localhost."""
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name}.local", host.lower()})


def is_ours(host_header: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine: an address in digits, or one of `names`."""
    try:
        name = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".") in names
    return True


def is_same_origin(origin: str, host_header: str) -> bool:
    """Whether a page of `origin` was served by the host it now speaks to."""
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host_header.lower() != ""


def guard(names: frozenset[str]) -> Middleware:
    """A middleware that answers 403 to what does not come from our own pages."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST, "")
        if not is_ours(host, names):
            raise web.HTTPForbidden(text="This box is not known under that name.\n")
        acts = request.method not in {hdrs.METH_GET, hdrs.METH_HEAD} or hdrs.UPGRADE in request.headers
        machine = request.path.startswith(MACHINES)  # sends a token of its own accord, which no browser does
        if acts and not machine and not is_same_origin(request.headers.get(hdrs.ORIGIN, ""), host):
            raise web.HTTPForbidden(text="Only pages of this box may do that.\n")
        await _read(request)
        return await handler(request)

    return middleware


async def _read(request: web.Request) -> None:
    """The body, whole and soon: a handler never waits for somebody who sends a byte now and then. 408, 413."""
    resource = request.match_info.route.resource
    if not request.body_exists or resource is None or (request.method, resource.canonical) in STREAMED:
        return
    if (request.content_length or 0) > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """A response signal: security headers on everything, and nothing kept unless the handler said so."""
    response.headers.update(HEADERS)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
