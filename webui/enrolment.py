"""What a machine of the network gets by plain HTTP: how to trust this box, and the way to the pages by TLS. Nothing else.

What comes by the loopback is the box's own screen and is served as ever: it must not depend on a certificate. There is no HSTS:
it would take from a nurse the way past a warning when a certificate has ended, and the plain port serves this page.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from daemon.config import Config
from daemon.config_web import AUTHORITY, TOLD
from daemon.words import say
from webui import signed
from webui.access import MACHINES
from webui.listening import Listening

HERE = "/trust"
FILE = "/trust/authority.crt"
_LISTENING = web.AppKey("listening", Listening)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who has signed the box's certificate, as a browser shows it. `until_s`: end of its validity, UTC, s since 1970."""

    name: str
    sha256: str
    until_s: float

    @property
    def parts(self) -> tuple[str, ...]:
        """The fingerprint in four parts of four groups, to be compared by eye."""
        groups = [self.sha256[at : at + 4] for at in range(0, 64, 4)]
        return tuple(" ".join(groups[at : at + 4]) for at in range(0, 16, 4))

    @property
    def until(self) -> str:
        """The day on which it ends."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.until_s))


def install(app: web.Application, config: Config, listening: Listening) -> None:
    """Give the application what it tells of, and the route of the file; the page itself is pages/trust.py."""
    app[_LISTENING] = listening

    async def file(_request: web.Request) -> web.Response:
        try:
            der = ssl.PEM_cert_to_DER_cert((config.cert_data / AUTHORITY).read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise web.HTTPNotFound(text=say("trust.none") + "\n") from None
        named = "".join(
            sign for sign in socket.gethostname() if sign.isascii() and (sign.isalnum() or sign == "-")
        )
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="vitald-{named}.crt"'}
        return web.Response(body=der, content_type="application/x-x509-ca-cert", headers=headers)

    app.router.add_get(FILE, file)


def guard(config: Config) -> Middleware:
    """A middleware that leads other machines to TLS, where that is on. What they send by plain HTTP is never acted on."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        plain = config.web.is_encrypted and not request.secure
        if not plain or signed.at_bedside(request.remote or "") or _is_open(request):
            return await handler(request)
        acts = request.method not in {hdrs.METH_GET, hdrs.METH_HEAD} or hdrs.UPGRADE in request.headers
        if acts or request.path.startswith(MACHINES):  # a password or a token has come with it
            raise web.HTTPForbidden(text=say("trust.encrypted_only") + "\n")
        if request.path == "/" or not (there := encrypted(request)):
            raise web.HTTPFound(HERE)
        raise web.HTTPTemporaryRedirect(there + request.rel_url.path_qs.removeprefix("/"))

    return middleware


def encrypted(request: web.Request) -> str:
    """The address of the pages by TLS, under the name that was asked for; "" where there is none."""
    listening = request.app[_LISTENING]
    if listening.encrypted is None or not listening.has_certificate:
        return ""
    host, port = request.url.host or "", listening.encrypted[1]
    where = f"[{host}]" if ":" in host else host
    return f"https://{where}/" if port == 443 else f"https://{where}:{port}/"


def ports(request: web.Request) -> tuple[int, int]:
    """Of plain HTTP and of TLS; 0 where nothing listens."""
    listening = request.app[_LISTENING]
    return listening.plain[1], listening.encrypted[1] if listening.encrypted else 0


def authority(folder: Path) -> Authority | None:
    """The box's own authority; None where there is none, or the house's certificate is served."""
    try:
        pem = (folder / AUTHORITY).read_text(encoding="ascii")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        told: dict[str, Any] = dict(context.get_ca_certs()[0])
        der = ssl.PEM_cert_to_DER_cert(pem)
    except (OSError, ValueError, IndexError):
        return None
    subject = {key: value for part in told["subject"] for key, value in part}
    until_s = ssl.cert_time_to_seconds(str(told["notAfter"]))
    return Authority(
        str(subject.get("commonName", "")), hashlib.sha256(der).hexdigest().upper(), float(until_s)
    )


def told(folder: Path) -> dict[str, object]:
    """What is served: `names`, `until` (a day), `house`; empty where nothing is yet (daemon/appliance/certificates.py writes it)."""
    try:
        found = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_open(request: web.Request) -> bool:
    """The page itself, and what it looks like."""
    return request.path in {HERE, FILE} or request.path.startswith("/static/")
