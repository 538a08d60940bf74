"""How far each destination can be reached, step by step: its name, its port, its certificate, whether it lets the box in.

The box is only asked to sign in here while no forwarder runs: a broker lets one of a name in at a time.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from daemon import config as settings
from daemon.config import Config
from daemon.forward.destinations import Verdict
from daemon.forward.destinations.kinds import BadOptions, make
from daemon.forward.destinations.place import Place

WITHIN_S = 5.0
SIGN_IN_S = 20.0


@dataclass(frozen=True, slots=True)
class Probed:
    """`failed` is the step that failed (name, unreachable, tls, refused), or ""; `until` is when the server's certificate ends."""

    name: str
    host: str = ""
    port: int = 0
    failed: str = ""
    why: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a destination is; without a host it is on this machine."""

    host: str = ""
    port: int = 0
    tls: bool = False


LINES: Final = {"mqtt": (8883, True), "mllp": (2575, True), "sftp": (22, False), "ftp": (21, False)}
"""Kinds that have a host and a port of their own: the port, and whether TLS is spoken from the first byte."""


def address(one: settings.Destination) -> Address:
    """Where the destination is, by its kind."""
    options = one.options
    url = str(options.get("url") or options.get("endpoint") or options.get("api_url") or "")
    if one.kind in LINES:
        port, tls = LINES[one.kind]
        return Address(
            str(options.get("host", "")), int(options.get("port", port)), bool(options.get("tls", tls))
        )
    match one.kind:
        case "folder":
            return Address()
        case "azure" if not url:
            url = f"https://{options.get('account', '')}.blob.core.windows.net"
        case "gcs" if not url:
            url = "https://storage.googleapis.com"
        case "dropbox" if not url:
            url = "https://api.dropboxapi.com"
        case "s3" if not url:
            url = f"https://s3.{options.get('region', 'us-east-1')}.amazonaws.com"
        case "sns" if not url:
            url = f"https://sns.{str(options.get('topic', ':::')).split(':')[3]}.amazonaws.com"
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Address(parts.hostname or "", parts.port or (443 if tls else 80), tls)


async def probe(config: Config, *, sign_in: bool) -> list[Probed]:
    """Of every destination that is switched on. With `sign_in`, those that are reached are asked to let the box in."""
    wanted = config.forward.destinations if config.forward.enabled else {}
    asked = [_probe(config, name, one, sign_in=sign_in) for name, one in wanted.items() if one.enabled]
    return list(await asyncio.gather(*asked))


async def _probe(config: Config, name: str, one: settings.Destination, *, sign_in: bool) -> Probed:
    where, until = address(one), None
    at: dict[str, Any] = {"name": name, "host": where.host, "port": where.port}
    if where.host:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WITHIN_S):
                await loop.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            return Probed(**at, failed="name", why=str(error))
        try:
            until = await _connect(where, _trusted(config, one) if where.tls else None)
        except ssl.SSLError as error:
            return Probed(
                **at, failed="tls", why=getattr(error, "verify_message", "") or error.reason or str(error)
            )
        except (OSError, TimeoutError) as error:
            return Probed(**at, failed="unreachable", why=_why(error))
    if sign_in:
        why = await _sign_in(config, name, one)
        if why:
            return Probed(**at, failed="refused", why=why)
    return Probed(**at, until=until)


async def _connect(where: Address, trusted: ssl.SSLContext | None) -> datetime | None:
    """When the server's certificate ends. Raises OSError, TimeoutError."""
    async with asyncio.timeout(WITHIN_S):
        _, writer = await asyncio.open_connection(where.host, where.port, ssl=trusted)
    told = writer.get_extra_info("peercert") or {}
    writer.close()
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1.0)
    if "notAfter" not in told:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), UTC)


def _trusted(config: Config, one: settings.Destination) -> ssl.SSLContext:
    """The authorities that the destination trusts."""
    name = one.options.get("ca_file")
    made = ssl.create_default_context(
        cafile=str(Path(config.forward.credentials) / str(name)) if name else None
    )
    certificate, key = one.options.get("certificate_file"), one.options.get("key_file")
    if certificate and one.kind in {"mqtt", "ftp"}:
        folder = Path(config.forward.credentials)
        made.load_cert_chain(
            folder / str(certificate), folder / str(key) if key else None, password=lambda: ""
        )
    return made


async def _sign_in(config: Config, name: str, one: settings.Destination) -> str:
    """Why the box is not let in, "" where it is (or where nothing can be said of it). What it is told is thrown away."""
    from daemon.forward.process import box_serial

    with tempfile.TemporaryDirectory(prefix="vitald-doctor-") as state:
        place = Place(
            name=name,
            box=box_serial(config),
            credentials=Path(config.forward.credentials),
            state=Path(state),
            reports=config.box.data / "reports",
            given=_nothing(),
        )
        try:
            made = make(one.kind, one.options, place)
        except BadOptions:
            return ""  # the configuration's check says so
        try:
            outcome = await asyncio.wait_for(made.open(), SIGN_IN_S)
        except TimeoutError:
            return f"no answer within {SIGN_IN_S:.0f} s"
        finally:
            await made.close()
    return outcome.reason if outcome.verdict in {Verdict.PARKED, Verdict.REFUSED} else ""


def _nothing() -> Mapping[str, Any]:
    return {}


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {WITHIN_S:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
