"""HTTP for the destinations that speak it by themselves: aiohttp, imported when the first request is made."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from daemon.forward.destinations import Outcome, Verdict

if TYPE_CHECKING:
    import aiohttp

REPLY_BYTES: Final = 64 * 1024
"""A reply is read so far; no backend of ours says more to an upload."""

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: `json` is {} where the body is no JSON object. `text` is never shown to anybody."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Mapping[str, Any]


class Web:
    """Connections to one server, kept open between requests."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        url: str,
        data: Any,
        headers: Mapping[str, str],
        timeout_s: float,
        trust: ssl.SSLContext | None,
        method: str = "POST",
    ) -> Reply:
        """A request with `data` (bytes, or a form of aiohttp; None: nothing). Raises what aiohttp raises."""
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=True if trust is None else trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
        limit = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 10.0))
        async with self._session.request(
            method, url, data=data, headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            body = b""
            while len(body) < REPLY_BYTES and (piece := await response.content.read(REPLY_BYTES)):
                body += piece
            text = body.decode("utf-8", "replace")
            return Reply(response.status, response.headers, text, _object(text))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def known(error: Exception) -> Outcome | None:
    """What errors of aiohttp mean."""
    import aiohttp

    if isinstance(error, aiohttp.InvalidURL):
        return Outcome(Verdict.PARKED, "the address cannot be used as it is")
    if isinstance(error, aiohttp.ClientError):
        return Outcome(Verdict.AGAIN, "the connection was lost")
    return None


def checked_url(url: str, *, plain: bool) -> str:
    """The address without its last slash. Raises ValueError for one that is none, or that would send in the clear."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be https://HOST[:PORT][/PATH]")
    if parts.username or parts.password:
        raise ValueError("must not hold a name or a password")
    if parts.scheme == "http" and not plain and parts.hostname not in _LOOPBACK:
        raise ValueError(
            "http:// sends patients' data in the clear; set plain_http = true to do it all the same"
        )
    return url.rstrip("/")


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def without_secrets(address: str) -> str:
    """An address without its query and without a name or password: links that are signed carry secrets there."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address.partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
