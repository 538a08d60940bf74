"""The certificate that the pages are served with: read from its file, and again when the file is another one.

The process that reads it makes none (`vitald cert`, vitald-cert.service). An expired one is served all the same: a browser warns
of it, and a nurse can still come to the waves.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

SOON_S = 2.0
"""Between two looks for a file that is not there yet."""

EVERY_S = 20.0
"""Between two looks for a file that has changed."""

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are all well. Both keep what was recorded secret when a key is stolen later."""

log = logging.getLogger(__name__)


class Certificate:
    """What connections by TLS are begun with. `context` is None until there is a file that can be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.context: ssl.SSLContext | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S if self.context is not None else SOON_S)

    def look(self) -> None:
        """Look once. What cannot be used is said once, and what was there before goes on being used."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            return
        if seen == self._seen:
            return
        self._seen = seen
        # A context of its own each time: one that has had two kinds of keys would offer both.
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._path)
        except (OSError, ssl.SSLError) as error:
            log.error("certificate %s cannot be used: %s", self._path, error)  # noqa: TRY400 - its text says it
            return
        log.info("certificate %s is served", self._path)
        self.context = context
        self.ready.set()
