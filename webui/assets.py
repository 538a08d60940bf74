"""Scripts and styles, held in memory and addressed by the hash of them all.

Modules import each other relatively, so one hash in the path covers a whole page: a browser keeps them for ever, and a
page that hears of another hash knows that it is old. A foreign library comes from its Python package as it is; being large,
it is read and packed when it is first asked for.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from aiohttp import hdrs, web

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"
_LEVEL = 6


def foreign() -> dict[str, Path]:
    """The libraries of pages about the past, by the name they are served under: plotly, as its Python package brings it.

    The package is found and not imported: nothing of its Python is used. RuntimeError where it is not installed.
    """
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package plotly is not installed")
    return {"vendor/plotly.js": Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"}


class Assets:
    """The files below `folder`, and `libraries`; `digest` changes when any of them does."""

    def __init__(self, folder: Path, libraries: Mapping[str, Path] | None = None) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES)
        self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self._libraries = dict(libraries or {})
        self._packed: dict[str, bytes] = {}
        total = hashlib.sha256()
        for name, content in self._files.items():
            total.update(f"{name}\0{len(content)}\0".encode() + content)
        for name, library in self._libraries.items():
            with library.open("rb") as file:
                total.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
        self.digest = total.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is served. KeyError for one that does not exist."""
        if name not in self._files and name not in self._libraries:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """Handler of /static/{digest}/{name}."""
        name = request.match_info["name"]
        if request.match_info["digest"] != self.digest:
            raise web.HTTPNotFound
        headers = {hdrs.CACHE_CONTROL: _FOR_EVER}
        content = self._files.get(name)
        if name in self._libraries:
            headers |= {hdrs.CONTENT_ENCODING: "gzip", hdrs.VARY: hdrs.ACCEPT_ENCODING}
            content = await self._library(name)
        if content is None:
            raise web.HTTPNotFound
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)

    async def _library(self, name: str) -> bytes:
        if name not in self._packed:
            packed = await asyncio.to_thread(
                lambda: gzip.compress(self._libraries[name].read_bytes(), _LEVEL)
            )
            self._packed[name] = packed
        return self._packed[name]
