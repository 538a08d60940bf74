"""FTP over TLS: signs in only once the line is encrypted (explicit TLS, or implicit). Plain FTP must be asked for by name.

A file is stored beside its place and renamed. FTP says nothing of syncing, so this is as durable as the server.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.files import Content, Filed, FileOptions
from daemon.forward.destinations.place import Credential, Ended, Place
from daemon.forward.destinations.tls import TlsOptions, context

if TYPE_CHECKING:
    from aioftp import Client

_FULL: Final = {"452", "552"}
_ACCOUNT: Final = {"331", "332", "430", "530", "532"}
_FORBIDDEN: Final = {"550", "553"}
_NO_TLS: Final = {"431", "500", "502", "503", "504", "534"}


class FtpOptions(FileOptions, TlsOptions):
    """Which server, how, and as whom."""

    host: Annotated[str, Field(min_length=1, description="Name of the server, as its certificate has it")]
    port: Annotated[int, Field(ge=1, le=65535, description="Its port; 990 for implicit TLS")] = 21
    security: Annotated[
        Literal["explicit", "implicit", "plain"],
        Field(description="TLS by AUTH TLS, TLS from the first byte, or none: patients' data in the clear"),
    ] = "explicit"
    user: Annotated[str, Field(min_length=1, description="Name of the box's account there")]
    password_file: Credential
    folder: Annotated[str, Field(description="Folder on the server; empty = where the account begins")] = ""
    at_once: Annotated[int, Field(ge=1, le=1, description="FTP does one thing at a time")] = 1


class Ftp(Filed):
    options: FtpOptions

    def __init__(self, options: FtpOptions, place: Place) -> None:
        super().__init__(options, place)
        self._client: Client | None = None
        self._folders: set[PurePosixPath] = set()
        self._busy = asyncio.Lock()

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        await self.close()
        return await super().open()

    async def close(self) -> None:
        client, self._client = self._client, None
        self._folders.clear()
        if client is not None:
            client.close()

    async def put(self, name: str, content: Content) -> None:
        async with self._busy:
            try:
                await self._put(PurePosixPath(self.options.folder) / name, content)
            except BaseException:
                # Where a command was left half said or its answer not read, the next would get the wrong answer.
                await self.close()
                raise

    async def _put(self, path: PurePosixPath, content: Content) -> None:
        client = await self._connected()
        if await _size(client, path) == content.size:
            return  # it was renamed when it was whole, and its name carries its digest
        await self._make_folder(client, path.parent)
        part = path.with_name(path.name + ".part")
        await self._store(client, part, content)
        await _move(client, part, path)

    async def _store(self, client: Client, path: PurePosixPath, content: Content) -> None:
        """Not aioftp's own: it speaks TLS on the data connection before it says STOR, and servers wait for STOR first."""
        _, writer = await client.get_passive_connection("I")
        try:
            await client.command(f"STOR {path}", "1xx")
            if self.options.security != "plain":
                await writer.start_tls(_same_session(client), server_hostname=self.options.host)
            async for piece in self.pieces(content):
                writer.write(piece)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        except BaseException:
            writer.transport.abort()
            raise
        await client.command(None, "2xx")

    async def _make_folder(self, client: Client, folder: PurePosixPath) -> None:
        for level in [*reversed(folder.parents), folder]:
            if level.name and level not in self._folders:
                # 550 and 521 where it is there already; where it cannot be made, storing in it says why.
                await client.command(f"MKD {level}", ("257", "521", "550"))
                self._folders.add(level)

    async def _connected(self) -> Client:
        if self._client is None:
            self._client = await self._connect()
        return self._client

    async def _connect(self) -> Client:
        options = self.options
        trust = None if options.security == "plain" else context(options, self.place)
        password = self.place.secret(options.password_file).get_secret_value()
        client = _client_class()(
            ssl=trust if options.security == "implicit" else None,
            socket_timeout=options.timeout_s,
            connection_timeout=min(options.timeout_s, 10.0),
        )
        try:
            await client.connect(options.host, options.port)
            if options.security == "explicit":
                await _secure(client, trust)
            await client.login(options.user, password)
            if options.security == "implicit":
                await client.command("PBSZ 0", "200")
                await client.command("PROT P", "200")
            await client.command("TYPE I", "200")  # else some servers count bytes otherwise
        except BaseException:
            client.close()
            raise
        return client

    def known(self, error: Exception) -> Outcome | None:
        import aioftp

        if isinstance(error, aioftp.StatusCodeError):
            return _refused(str(error.received_codes[-1]))
        if isinstance(error, aioftp.AIOFTPException | ValueError | IndexError):
            return Outcome(Verdict.AGAIN, "the server says what is not FTP")
        return None


def _client_class() -> type[Client]:
    import aioftp

    class Bare(aioftp.Client):
        """Opens data connections without TLS, which comes after the command."""

        async def _open_connection(
            self, host: str, port: int
        ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if self._stream is None:
                return await super()._open_connection(host, port)
            return await asyncio.wait_for(asyncio.open_connection(host, port), self.connection_timeout)

    return Bare


def _same_session(client: Client) -> ssl.SSLContext:
    """For data: servers may ask that it resumes the session of the control connection, to know that it is the same client."""
    from aioftp.common import SSLSessionBoundContext

    secured = client.stream.writer.get_extra_info("ssl_object")
    return SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=secured.context, session=secured.session)


async def _secure(client: Client, trust: ssl.SSLContext | None) -> None:
    import aioftp

    try:
        await client.upgrade_to_tls(trust)
    except aioftp.StatusCodeError as error:
        if str(error.received_codes[-1]) in _NO_TLS:
            raise Ended(
                Verdict.PARKED, "the server speaks no TLS, and nothing is sent in the clear"
            ) from None
        raise


async def _size(client: Client, path: PurePosixPath) -> int:
    """Bytes of a file there; -1 when it is not there, or the server does not say."""
    code, info = await client.command(f"SIZE {path}", ("213", "4xx", "5xx"))
    said = info[0].strip() if code.matches("213") and info else ""
    return int(said) if said.isdigit() else -1


async def _move(client: Client, part: PurePosixPath, path: PurePosixPath) -> None:
    """Onto whatever is there; some servers need the way cleared first."""
    await client.command(f"RNFR {part}", "350")
    code, _ = await client.command(f"RNTO {path}", ("2xx", "550", "553"))
    if not code.matches("2xx"):
        await client.command(f"DELE {path}", ("2xx", "550"))
        await client.command(f"RNFR {part}", "350")
        await client.command(f"RNTO {path}", "2xx")


def _refused(code: str) -> Outcome:
    if code in _FULL:
        return Outcome(Verdict.WAIT, f"no space left there ({code})", 60.0)
    if code in _ACCOUNT:
        return Outcome(Verdict.PARKED, f"the server does not accept the box's credentials ({code})")
    if code in _FORBIDDEN:
        return Outcome(Verdict.PARKED, f"not allowed to write there ({code})")
    return Outcome(Verdict.AGAIN, f"trouble at the server ({code})")
