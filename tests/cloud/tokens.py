"""Passwords and tokens: scrypt, and JWT by HMAC-SHA256 (RFC 7519)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any

LIFE_S = 3600
REFRESHABLE_S = 30 * 86_400
_SCRYPT = {"n": 2**12, "r": 8, "p": 1}


class BadToken(Exception):
    """The text says why."""


def hashed(password: str) -> str:
    salt = os.urandom(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def fits(password: str, kept: str) -> bool:
    salt, _, digest = kept.partition("$")
    return hmac.compare_digest(
        hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex(), digest
    )


class Tokens:
    """Issues tokens and reads them. `revoke` makes all issued so far worthless."""

    def __init__(self, life_s: float = LIFE_S) -> None:
        self.life_s = life_s
        self._secret = os.urandom(32)

    def issue(self, user_id: str, now: float) -> str:
        claims = {"sub": user_id, "iat": int(now), "exp": int(now + self.life_s), "jti": os.urandom(8).hex()}
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def read(self, token: str, now: float, *, ended: bool = False) -> str:
        """The user_id. `ended`: a token that is over is good for a refresh. Raises `BadToken`."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed), signature):
            raise BadToken("the token is not ours")
        claims = json.loads(_bytes(signed.partition(".")[2]))
        over = claims["iat"] + REFRESHABLE_S if ended else claims["exp"]
        if now >= over:
            raise BadToken("the token is over")
        return str(claims["sub"])

    def revoke(self) -> None:
        self._secret = os.urandom(32)

    def _signature(self, signed: str) -> str:
        return _text(hmac.digest(self._secret, signed.encode(), "sha256"))


def _part(value: Any) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
