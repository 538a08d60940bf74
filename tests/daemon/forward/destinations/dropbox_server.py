"""Dropbox as its documentation describes it, for the three calls that we make: there is no emulator.

Written from the descriptions of `/oauth2/token` (refresh_token), `/2/files/upload` (mode add, autorename, strict_conflict,
content_hash, Dropbox-API-Arg) and `/2/files/get_metadata`. What a live Dropbox does was not tried.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from aiohttp import web

BLOCK = 4 * 1024 * 1024


def content_hash(data: bytes) -> str:
    """As documented: the SHA-256 of the concatenated SHA-256 of blocks of 4 MiB."""
    blocks = (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
    return hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).hexdigest()


@dataclass
class Account:
    refresh_token: str = "refresh-secret"
    app_key: str = "app-key"
    app_secret: str = "app-secret"
    files: dict[str, bytes] = field(default_factory=dict)
    renewed: int = 0
    replies: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    life_s: int = 14400

    def credential(self, **other: str) -> str:
        return json.dumps(
            {"refresh_token": self.refresh_token, "app_key": self.app_key, "app_secret": self.app_secret}
            | other
        )

    def app(self) -> web.Application:
        app = web.Application(client_max_size=200 << 20)
        app.router.add_post("/oauth2/token", self._token)
        app.router.add_post("/2/files/upload", self._upload)
        app.router.add_post("/2/files/get_metadata", self._metadata)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        said = await request.post()
        wanted = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": self.app_key,
            "client_secret": self.app_secret,
        }
        if dict(said) != wanted:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.renewed += 1
        token = f"access-secret-{self.renewed}"
        self.valid.add(token)
        return web.json_response({"access_token": token, "expires_in": self.life_s, "token_type": "bearer"})

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return web.json_response({"error_summary": "expired_access_token/."}, status=401)
        if self.replies:
            status, headers, text = self.replies.pop(0)
            return web.Response(status=status, headers=headers, text=text)
        return None

    async def _upload(self, request: web.Request) -> web.Response:
        data = await request.read()
        if (refused := self._refused(request)) is not None:
            return refused
        said = json.loads(request.headers["Dropbox-API-Arg"])
        if said["content_hash"] != content_hash(data):
            return _error("content_hash_mismatch/..")
        path = said["path"].lower()  # names differ by more than case there
        if path in self.files and (said["strict_conflict"] or self.files[path] != data):
            assert not said["autorename"]
            return _error("path/conflict/file/..")
        self.files[path] = data
        return web.json_response({"path_lower": path, "size": len(data), "content_hash": content_hash(data)})

    async def _metadata(self, request: web.Request) -> web.Response:
        said = await request.json()
        if (refused := self._refused(request)) is not None:
            return refused
        data = self.files.get(said["path"].lower())
        if data is None:
            return _error("path/not_found/..")
        return web.json_response({".tag": "file", "size": len(data), "content_hash": content_hash(data)})


def _error(summary: str) -> web.Response:
    return web.json_response({"error_summary": summary, "error": {".tag": summary.split("/")[0]}}, status=409)
