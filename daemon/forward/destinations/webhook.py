"""Alarms to an HTTPS address of somebody's own, signed as Standard Webhooks says (standardwebhooks.com, version 1.0.0).

`webhook-signature` is HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>": the time of the try is signed with the body, so
that what was heard on the way cannot be played again later; `webhook-id` is the record's key, so that a try that came twice
is known as one. The same key stands in `Idempotency-Key`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from daemon.forward.destinations import Outcome, Sealed, Verdict
from daemon.forward.destinations.announcing import Announcing, AnnouncingOptions, record_key
from daemon.forward.destinations.place import Credential, Ended, Place
from daemon.forward.destinations.tls import TlsOptions, context
from daemon.forward.destinations.trouble import of_status, patience, tried
from daemon.forward.destinations.web import Web, checked_url, known

PREFIX: Final = "whsec_"
"""What a secret of Standard Webhooks begins with; the rest is base64."""

LEAST_BYTES: Final = 24
"""A shorter secret is no secret (Standard Webhooks: 24 to 64 bytes)."""

_GONE: Final = 410


class WebhookOptions(TlsOptions, AnnouncingOptions):
    """Where, and signed with what."""

    url: Annotated[str, Field(description="Where alarms are posted: https://HOST/PATH")]
    secret_file: Credential
    plain_http: Annotated[bool, Field(description="Whether http:// may be used beyond this machine")] = False
    timeout_s: Annotated[float, Field(gt=0, le=60, description="Longest silence of one try, in seconds")] = (
        10.0
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        checked_url(self.url, plain=self.plain_http)
        return self


class Webhook(Announcing):
    def __init__(self, options: WebhookOptions, place: Place, utc_s: Callable[[], float] = time.time) -> None:
        super().__init__(options, place)
        self.options = options
        self._utc_s = utc_s
        self._web = Web(options.at_once)
        self._trust: ssl.SSLContext | None = None
        self._secrets: tuple[bytes, ...] = ()

    async def open(self) -> Outcome:
        """The secret is read again: a person may have renewed it. Nothing is sent to try it."""
        await self.close()
        self._secrets = ()
        return await tried(self._prepare(), self.options.timeout_s, known)

    async def send(self, sealed: Sealed) -> Outcome:
        return await tried(self._send(sealed), self.options.timeout_s, known)

    async def close(self) -> None:
        await self._web.close()

    async def _prepare(self) -> None:
        self._secrets = keys(self.place.secret(self.options.secret_file).get_secret_value())
        secure = self.options.url.startswith("https:")
        self._trust = context(self.options, self.place) if secure else None

    async def _send(self, sealed: Sealed) -> None:
        if not self._secrets:
            await self._prepare()
        key, when = record_key(sealed), str(int(self._utc_s()))
        headers = {
            "Content-Type": sealed.media,
            "User-Agent": "vitald",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": when,
            "webhook-signature": signature(self._secrets, key, when, sealed.data),
        }
        url = checked_url(self.options.url, plain=self.options.plain_http)
        reply = await self._web.ask(url, sealed.data, headers, self.options.timeout_s, self._trust)
        if reply.status == _GONE:
            raise Ended(Verdict.PARKED, "the receiver wants no more of these (410)")
        after = reply.headers.get("Retry-After")
        if reply.status == 409 and after is not None:
            raise Ended(Verdict.AGAIN, "the receiver is still at it (409)", patience(after))
        if (outcome := of_status(reply.status, after)) is not None:
            raise Ended(outcome.verdict, outcome.reason, outcome.wait_s)


def keys(text: str) -> tuple[bytes, ...]:
    """The secrets in a credential, a line each: every try is signed with all, so that they can be changed without a loss.

    Raises `Ended` (parked) for one that is too short or no base64.
    """
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            secret = (
                b64decode(line[len(PREFIX) :], validate=True) if line.startswith(PREFIX) else line.encode()
            )
        except binascii.Error:
            raise Ended(Verdict.PARKED, "the credential is no secret of a webhook: not base64") from None
        if len(secret) < LEAST_BYTES:
            raise Ended(Verdict.PARKED, f"the credential is too short: {LEAST_BYTES} bytes at least")
        found.append(secret)
    if not found:
        raise Ended(Verdict.PARKED, "the credential holds no secret")
    return tuple(found)


def signature(secrets: Sequence[bytes], key: str, when: str, body: bytes) -> str:
    """The header: a signature for each secret, "v1," and base64."""
    told = f"{key}.{when}.".encode() + body
    made = (b64encode(hmac.digest(secret, told, hashlib.sha256)).decode("ascii") for secret in secrets)
    return " ".join(f"v1,{one}" for one in made)
