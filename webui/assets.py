"""Scripts and styles, held in memory and addressed by the hash of them all.

Modules import each other relatively, so one hash in the path covers a whole page: a browser keeps them for ever, and a
page that hears of another hash knows that it is old.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import hdrs, web

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """The files below `folder`; `digest` changes when any of them does."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES)
        self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        total = hashlib.sha256()
        for name, content in self._files.items():
            total.update(f"{name}\0{len(content)}\0".encode() + content)
        self.digest = total.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is served. KeyError for one that does not exist."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """Handler of /static/{digest}/{name}."""
        name = request.match_info["name"]
        content = self._files.get(name)
        if content is None or request.match_info["digest"] != self.digest:
            raise web.HTTPNotFound
        kind = _TYPES[Path(name).suffix]
        return web.Response(
            body=content, content_type=kind, charset="utf-8", headers={hdrs.CACHE_CONTROL: _FOR_EVER}
        )
