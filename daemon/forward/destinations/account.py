"""The box's account at a REST backend: it signs in, renews its token before it ends, and once more when it is turned down.

However many requests find the token gone at once, one of them renews it and the others wait for that one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from daemon.forward.destinations import Verdict
from daemon.forward.destinations.place import Ended
from daemon.forward.destinations.trouble import of_status
from daemon.forward.destinations.web import Reply

RENEW_AT: Final = 0.8
"""Of a token's life."""


Post = Callable[[str, Mapping[str, Any], Mapping[str, str]], Awaitable[Reply]]
"""POST of a JSON body to a path below the base address, with these headers."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: SecretStr
    refresh: SecretStr | None
    renew_at: float  # on the monotonic clock; the box's own clock may be wrong


class Account:
    """An account with a password (`identifier` not empty), a key, or neither."""

    def __init__(
        self, post: Post, identifier: str, password: SecretStr | None, key: SecretStr | None
    ) -> None:
        self._post = post
        self._identifier = identifier
        self._password = password
        self._key = key
        self._token: _Token | None = None
        self._renewing = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """What every request carries. Signs in or renews where it is time. Raises `Ended`."""
        if self._password is None:
            return {} if self._key is None else {"X-API-Key": self._key.get_secret_value()}
        token = self._token
        if token is None or time.monotonic() >= token.renew_at:
            token = await self._renewed(token)
        return {"Authorization": f"Bearer {token.value.get_secret_value()}"}

    async def turned_down(self, sent: Mapping[str, str]) -> bool:
        """A request with these headers got 401: whether it is worth another try, with a new token. Raises `Ended`."""
        if self._password is None:
            return False
        token = self._token
        if token is not None and sent.get("Authorization") == f"Bearer {token.value.get_secret_value()}":
            await self._renewed(token, trust=False)
        return True

    async def _renewed(self, old: _Token | None, *, trust: bool = True) -> _Token:
        async with self._renewing:
            if self._token is not None and self._token is not old:
                return self._token  # somebody else did, meanwhile
            token = await self._refresh(old) if old is not None and trust else None
            self._token = token or await self._login()
            return self._token

    async def _refresh(self, old: _Token) -> _Token | None:
        """A new token for the old one; None where the backend does not do that, or not for this one."""
        body = {} if old.refresh is None else {"refresh_token": old.refresh.get_secret_value()}
        reply = await self._post(
            "/auth/refresh", body, {"Authorization": f"Bearer {old.value.get_secret_value()}"}
        )
        return _token(reply, old.refresh) if reply.status < 300 else None

    async def _login(self) -> _Token:
        assert self._password is not None
        said = {"identifier": self._identifier, "password": self._password.get_secret_value()}
        reply = await self._post("/auth/login", said, {})
        if reply.status in {400, 401, 403, 404, 409, 422}:
            raise Ended(Verdict.PARKED, f"the server does not let the box's account in ({reply.status})")
        if (outcome := of_status(reply.status, reply.headers.get("Retry-After"))) is not None:
            raise Ended(outcome.verdict, outcome.reason, outcome.wait_s)
        token = _token(reply, None)
        if token is None:
            raise Ended(Verdict.PARKED, "the server let the box's account in, but gave it no token")
        return token


def _token(reply: Reply, refresh: SecretStr | None) -> _Token | None:
    value = reply.json.get("token")
    if not isinstance(value, str) or not value:
        return None
    new = reply.json.get("refresh_token")
    life = _seconds(reply.json.get("expires_in")) or _life(value)
    return _Token(
        SecretStr(value),
        SecretStr(new) if isinstance(new, str) and new else refresh,
        time.monotonic() + RENEW_AT * life if life else float("inf"),
    )


def _seconds(value: object) -> float:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0
    )


def _life(token: str) -> float:
    """Seconds from a JWT's issue to its end, as the token says; 0 where it says neither."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return _seconds(claims["exp"] - claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 0.0
