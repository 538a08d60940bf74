"""An update from a server: a small file that says what there is, and the bundle, which may come in pieces.

The file is JSON: `{"version": "1.4.0", "bundle": "vitald-1.4.0.raucb", "bytes": 314572800, "sha256": "..."}`; `bundle` is relative to it.
What is pulled is trusted for nothing: RAUC's signature is. Size and hash only spare a box what cannot be used.
"""

from __future__ import annotations

import hashlib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

WITHIN_S = 30.0
INDEX_BYTES = 65_536
PIECE = 1 << 18


class CannotPull(Exception):
    """The server's answer cannot be used, or there is none; the text says why."""


class Offered(BaseModel):
    """What a server offers."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~-]{0,63}$")
    bundle: str = Field(max_length=400)
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def offered(url: str, ca_file: Path | None = None) -> Offered:
    """What there is at the address. Raises `CannotPull`."""
    _secure(url)
    try:
        with _open(urllib.request.Request(url), ca_file) as answer:  # noqa: S310 - _secure has looked
            return Offered.model_validate_json(answer.read(INDEX_BYTES))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise CannotPull(f"{url}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
    except (OSError, HTTPException) as error:
        raise CannotPull(f"{url}: {error}") from None


def pulled(
    url: str,
    offer: Offered,
    folder: Path,
    *,
    most_bytes: int,
    ca_file: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """The bundle, whole and of the right hash, in the folder. What an earlier try has left is gone on with. Raises `CannotPull`."""
    if offer.bytes > most_bytes:
        raise CannotPull(f"{offer.bytes} bytes are more than update.max_mb allows ({most_bytes})")
    address = urljoin(url, offer.bundle)
    _secure(address)
    file = folder / f"{offer.sha256[:16]}.raucb"
    for other in folder.glob("*.raucb"):  # of another update: nobody goes on with it
        if other != file:
            other.unlink()
    try:
        _fill(address, offer, file, ca_file, progress)
    except (OSError, HTTPException) as error:
        raise CannotPull(f"{address}: {error}") from None
    with file.open("rb") as read:
        found = hashlib.file_digest(read, "sha256").hexdigest()
    if found != offer.sha256:
        file.unlink()
        raise CannotPull(f"{address}: another hash than the server has said")
    return file


def _fill(
    address: str, offer: Offered, file: Path, ca_file: Path | None, progress: Callable[[int], None]
) -> None:
    have = file.stat().st_size if file.exists() else 0
    if have > offer.bytes:
        file.unlink()
        have = 0
    if have == offer.bytes:
        return
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - _secure has looked
    with _open(request, ca_file) as answer:
        if have and answer.status != 206:  # the server gives all of it anew
            have = 0
        with file.open("r+b" if have else "wb") as into:
            into.seek(have)
            while piece := answer.read(PIECE):
                have += len(piece)
                if have > offer.bytes:
                    raise CannotPull(f"{address}: more bytes than the server has said")
                into.write(piece)
                progress(have)
    if have < offer.bytes:
        raise CannotPull(
            f"{address}: broke off after {have} of {offer.bytes} bytes; the next try goes on there"
        )


def _secure(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise CannotPull(f"{url or '(empty)'}: update.url must begin with https://")


class _Strict(urllib.request.HTTPRedirectHandler):
    """Nobody is sent on to an address without TLS."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        _secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: urllib.request.Request, ca_file: Path | None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - urllib's answer
    context = ssl.create_default_context(cafile=ca_file)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Strict())
    return opener.open(request, timeout=WITHIN_S)
