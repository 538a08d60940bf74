"""How a machine of the network is made to trust this box: its authority, the fingerprint, what to press in which browser."""

from __future__ import annotations

from aiohttp import web

from webui import enrolment, signed
from webui.pages import CONFIG, render

WAYS = ("windows", "firefox", "mac", "ios", "android", "linux", "many")
STEPS = range(1, 6)


def install(app: web.Application) -> None:
    """Add the page; its file is enrolment's."""
    app.router.add_get(enrolment.HERE, page)


async def page(request: web.Request) -> web.Response:
    """GET /trust: at the box's own screen it is what the other page's fingerprint is compared with."""
    config = request.app[CONFIG]
    told = enrolment.told(config.cert_data)
    names = told.get("names")
    own = signed.at_bedside(request.remote or "")
    plain_port, port = enrolment.ports(request)
    # At the box: what leads another machine here, before it trusts; over there: what it goes to from then on.
    scheme, port, usual = ("http", plain_port, 80) if own else ("https", port, 443)
    return render(
        request,
        "trust.html",
        authority=enrolment.authority(config.cert_data),
        encrypted=config.web.is_encrypted,
        file=enrolment.FILE,
        house=told.get("house") is True,
        names=_reached(names if isinstance(names, list) else [], scheme, "" if port == usual else f":{port}"),
        own=own,
        steps=STEPS,
        there=enrolment.encrypted(request) if not (own or request.secure) else "",
        until=str(told.get("until", "")),
        ways=WAYS,
    )


def _reached(names: list[object], scheme: str, end: str) -> list[str]:
    """Addresses of the pages, as they are typed elsewhere."""
    return [f"{scheme}://{f'[{name}]' if ':' in str(name) else name}{end}/" for name in names]
