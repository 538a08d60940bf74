"""Dropbox, by its HTTP interface: files are added, never replaced; what is there already is compared by content hash.

Access tokens live about four hours; the refresh token is the credential (JSON: `refresh_token`, `app_key`, `app_secret`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, model_validator

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.account import RENEW_AT
from daemon.forward.destinations.files import PIECE, SLOWEST, Content, Filed, FileOptions
from daemon.forward.destinations.place import Credential, Ended, Place
from daemon.forward.destinations.tls import TlsOptions, context
from daemon.forward.destinations.trouble import of_status
from daemon.forward.destinations.web import Reply, Web, checked_url, known

BLOCK: Final = 4 << 20
"""The content hash is taken of so many bytes at a time."""

LARGEST: Final = 150 << 20
"""What one request of theirs takes; no file of ours is larger."""


class DropboxOptions(FileOptions, TlsOptions):
    """Where, and as whom."""

    credentials_file: Credential
    folder: Annotated[
        str, Field(pattern=r"^(/.+)?$", description="Folder, with its first slash; empty = the app's")
    ] = ""
    api_url: Annotated[str, Field(description="Address of the interface")] = "https://api.dropboxapi.com"
    content_url: Annotated[str, Field(description="Address for uploads")] = "https://content.dropboxapi.com"
    largest_bytes: Annotated[int, Field(ge=1024, le=LARGEST, description="Largest file")] = LARGEST

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for url in (self.api_url, self.content_url):
            checked_url(url, plain=False)
        return self


class Dropbox(Filed):
    options: DropboxOptions

    def __init__(self, options: DropboxOptions, place: Place) -> None:
        super().__init__(options, place)
        self._web = Web(options.at_once)
        self._token: SecretStr | None = None
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()
        self._trust: ssl.SSLContext | None = None

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        await self.close()
        return await super().open()

    async def close(self) -> None:
        self._token, self._trust = None, None
        await self._web.close()

    def known(self, error: Exception) -> Outcome | None:
        return known(error)

    async def put(self, name: str, content: Content) -> None:
        digest = await self.aside.run(lambda: content_hash(content))
        path = f"{self.options.folder}/{name}"
        said = {
            "path": path,
            "mode": "add",
            "autorename": False,
            "strict_conflict": True,
            "mute": True,
            "content_hash": digest,
        }
        reply = await self._upload(said, content)
        if reply.status == 409:
            await self._judge(str(reply.json.get("error_summary", "")), path, digest)
            return
        _check(reply)
        if reply.json.get("content_hash") != digest:
            raise Ended(Verdict.AGAIN, "it did not arrive whole")

    async def _upload(self, said: Mapping[str, Any], content: Content) -> Reply:
        headers = {"Dropbox-API-Arg": json.dumps(said), "Content-Type": "application/octet-stream"}
        url = f"{checked_url(self.options.content_url, plain=False)}/2/files/upload"
        return await self._ask(url, content.file or content.data, headers, content.size)

    async def _judge(self, summary: str, path: str, digest: str) -> None:
        """Of a 409, which is every error of theirs that has a name. Raises `Ended` unless the file is there as it should be."""
        if "conflict" in summary:
            url = f"{checked_url(self.options.api_url, plain=False)}/2/files/get_metadata"
            said = json.dumps({"path": path}).encode()
            reply = await self._ask(url, said, {"Content-Type": "application/json"})
            _check(reply)
            if reply.json.get("content_hash") != digest:
                raise Ended(Verdict.REFUSED, "another file has its name there")
            return
        if "insufficient_space" in summary:
            raise Ended(Verdict.WAIT, "no space left there", 60.0)
        if "too_many_write_operations" in summary:
            raise Ended(Verdict.WAIT, "the server asks for patience", 1.0)
        if "content_hash_mismatch" in summary:
            raise Ended(Verdict.AGAIN, "it did not arrive whole")
        if "payload_too_large" in summary:
            raise Ended(Verdict.SPLIT, "too large for the server")
        if "no_write_permission" in summary or "team_folder" in summary:
            raise Ended(Verdict.PARKED, "not allowed to write there")
        raise Ended(Verdict.REFUSED, "the server does not take this (409)")

    async def _ask(self, url: str, data: bytes | Path, headers: Mapping[str, str], size: int = 0) -> Reply:
        """With a token; with a new one when it is turned down. A file is opened anew for every try."""
        renewed = False
        wait_s = self.options.timeout_s + size / SLOWEST
        while True:
            token = await self._access()
            who = {"Authorization": f"Bearer {token.get_secret_value()}"}
            with data.open("rb") if isinstance(data, Path) else nullcontext(data) as body:
                reply = await self._web.ask(url, body, {**headers, **who}, wait_s, self._trusted())
            if reply.status != 401 or renewed:
                return reply
            renewed = True
            if self._token is token:
                self._token = None

    async def _access(self) -> SecretStr:
        async with self._renewing:
            if self._token is None or time.monotonic() >= self._renew_at:
                self._token = await self._renew()
            return self._token

    async def _renew(self) -> SecretStr:
        try:
            held = json.loads(self.place.secret(self.options.credentials_file).get_secret_value())
            said = {
                "grant_type": "refresh_token",
                "refresh_token": held["refresh_token"],
                "client_id": held["app_key"],
                "client_secret": held["app_secret"],
            }
        except (ValueError, KeyError, TypeError):
            raise Ended(
                Verdict.PARKED, "the credential must be JSON with refresh_token, app_key and app_secret"
            ) from None
        url = f"{checked_url(self.options.api_url, plain=False)}/oauth2/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await self._web.ask(
            url, urlencode(said).encode(), headers, self.options.timeout_s, self._trusted()
        )
        if reply.status in {400, 401}:
            raise Ended(Verdict.PARKED, f"the server does not accept the box's credentials ({reply.status})")
        _check(reply)
        token, life = reply.json.get("access_token"), reply.json.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Ended(Verdict.AGAIN, "the server gave no token")
        seconds = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else 14400.0
        self._renew_at = time.monotonic() + RENEW_AT * seconds
        return SecretStr(token)

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = context(self.options, self.place)
        return self._trust


def content_hash(content: Content) -> str:
    """Dropbox's own digest: SHA-256 of the SHA-256 of every 4 MiB, hexadecimal."""
    whole, block = hashlib.sha256(), b""
    for piece in content.pieces(PIECE):
        block += piece
        while len(block) >= BLOCK:
            whole.update(hashlib.sha256(block[:BLOCK]).digest())
            block = block[BLOCK:]
    if block:
        whole.update(hashlib.sha256(block).digest())
    return whole.hexdigest()


def _check(reply: Reply) -> None:
    """Raises `Ended` unless it went well."""
    if (outcome := of_status(reply.status, reply.headers.get("Retry-After"))) is not None:
        raise Ended(outcome.verdict, outcome.reason, outcome.wait_s)
