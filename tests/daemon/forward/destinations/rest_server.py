"""The seeds' REST backend as a test needs it: real HTTP, accounts and tokens, one record a key, and faults on demand."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field

from aiohttp import web

IDENTIFIER = "BOX-0001-0042"
PASSWORD = "correct horse battery staple"
API_KEY = "key-4711-secret"


@dataclass
class Stored:
    path: str
    body: bytes
    headers: dict[str, str]
    file: bytes = b""


@dataclass
class Backend:
    """What it has, and how it behaves next."""

    stored: dict[str, Stored] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and key, every try
    sessions: dict[str, str] = field(default_factory=dict)  # key of the start -> id given
    replies: list[tuple[int, dict[str, str], str]] = field(default_factory=list)  # given first, in this order
    logins: int = 0
    refreshes: int = 0
    life_s: float = 3600.0
    refresh_works: bool = True
    takes_gzip: bool = True
    largest: int = 1 << 20
    slow_s: float = 0.0
    login_s: float = 0.0
    users: dict[str, str] = field(default_factory=lambda: {IDENTIFIER: PASSWORD})
    valid: set[str] = field(default_factory=set)
    say_life: str = "expires_in"  # or "jwt", or "" for nothing

    def token(self) -> dict[str, object]:
        now = int(time.time())
        number = f"{len(self.valid)}-{self.logins}-{self.refreshes}"
        claims = {"sub": number} | ({"iat": now, "exp": now + self.life_s} if self.say_life == "jwt" else {})
        token = ".".join(_base64(json.dumps(part)) for part in ({"alg": "none"}, claims, "x"))
        self.valid.add(token)
        told: dict[str, object] = {"user_id": "u-1", "token": token}
        return told | ({"expires_in": self.life_s} if self.say_life == "expires_in" else {})

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/api/v1/auth/register", self._register)
        app.router.add_post("/api/v1/auth/login", self._login)
        app.router.add_post("/api/v1/auth/refresh", self._refresh)
        app.router.add_post("/api/v1/{path:.*}", self._take)
        return app

    async def _register(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.users[said["device_serial"]] = said["password"]
        return web.json_response(self.token())

    async def _login(self, request: web.Request) -> web.Response:
        said = await request.json()
        await asyncio.sleep(self.login_s)
        if self.users.get(said["identifier"]) != said["password"]:
            return web.json_response({"error": f"wrong password {said['password']}"}, status=401)
        self.logins += 1
        return web.json_response(self.token())

    async def _refresh(self, request: web.Request) -> web.Response:
        if not self.refresh_works:
            return web.json_response({}, status=404)
        if not self._allowed(request):
            return web.json_response({}, status=401)
        self.refreshes += 1
        return web.json_response(self.token())

    def _allowed(self, request: web.Request) -> bool:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return bearer in self.valid or request.headers.get("X-API-Key") == API_KEY

    async def _take(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        path = "/" + request.match_info["path"]
        self.asked.append((path, key))
        if not self._allowed(request):
            return web.json_response({"error": request.headers.get("Authorization")}, status=401)
        if self.replies:
            status, headers, text = self.replies.pop(0)
            return web.Response(status=status, headers=headers, text=text)
        if request.headers.get("Content-Encoding") and not self.takes_gzip:
            return web.Response(status=415)
        stored = await self._read(request, path)
        await asyncio.sleep(self.slow_s)
        if len(stored.body) > self.largest:
            return web.Response(status=413)
        self.stored.setdefault(key, stored)
        if path == "/sessions/start":
            given = self.sessions.setdefault(key, f"server-{len(self.sessions) + 1}")
            return web.json_response({"session_id": given})
        return web.json_response({"status": "success"})

    async def _read(self, request: web.Request, path: str) -> Stored:
        headers = dict(request.headers)
        if not request.content_type.startswith("multipart/"):
            return Stored(path, await request.read(), headers)
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        return Stored(path, str(form["metadata"]).encode(), headers, file.file.read())


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
