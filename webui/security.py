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
from webui.crowd import Crowd

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
    "Server": "vitald",  # and not which library of which version
}


LARGEST_BODY = 64 * 1024
"""Bytes of a request's body, where its handler does not take uploads."""

HEAD_WITHIN_S = 10.0
"""A connection that has brought no whole head of a request by then is closed (aiohttp's keep-alive, from its beginning on)."""

BODY_WITHIN_S = 10.0

LINGERS_S = 1.0
"""So long the rest of a body that was refused is thrown away, for the answer to arrive; then the connection is closed."""


def own_names(*configured: str) -> frozenset[str]:
    """The names under which this machine may be addressed: those of the configuration, its own name, localhost."""
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name}.local", *map(str.lower, configured)})


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


def is_same_origin(origin: str, host_header: str, *, encrypted: bool = False) -> bool:
    """Whether a page of `origin` was served by the host it now speaks to; what comes `encrypted` must come of such a page."""
    parts = urlsplit(origin)
    schemes = {"https"} if encrypted else {"http", "https"}
    return parts.scheme in schemes and parts.netloc.lower() == host_header.lower() != ""


def guard(names: frozenset[str], crowd: Crowd) -> Middleware:
    """A middleware that answers 403 to what does not come from our own pages, and 429 to too many live sockets."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST, "")
        if not is_ours(host, names):
            raise web.HTTPForbidden(text="This box is not known under that name.\n")
        acts = request.method not in {hdrs.METH_GET, hdrs.METH_HEAD} or hdrs.UPGRADE in request.headers
        machine = request.path.startswith(MACHINES)  # sends a token of its own accord, which no browser does
        origin = request.headers.get(hdrs.ORIGIN, "")
        if acts and not machine and not is_same_origin(origin, host, encrypted=request.secure):
            raise web.HTTPForbidden(text="Only pages of this box may do that.\n")
        await _read(request)
        if hdrs.UPGRADE not in request.headers:
            return await handler(request)
        with crowd.watches(request.remote or "") as has_room:
            if not has_room:
                raise web.HTTPTooManyRequests(text="Too many screens are open there.\n")
            return await handler(request)

    return middleware


async def _read(request: web.Request) -> None:
    """The body, whole and soon: a handler never waits for somebody who sends a byte now and then. 408, 413, 415."""
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
    if request.content_type != "application/json" and not request.path.startswith(MACHINES):
        raise web.HTTPUnsupportedMediaType(text="Acts are JSON.\n")  # what another site's form cannot send


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """A response signal: security headers on everything, and nothing kept unless the handler said so."""
    response.headers.update(HEADERS)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
