"""SFTP: the server's host key is pinned, a file is written beside its place, synced where the server can, and moved there."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.files import Content, Filed, FileOptions
from daemon.forward.destinations.place import Ended, Place

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHClientConnection


class SftpOptions(FileOptions):
    """Which server, how it proves that it is the one, and as whom."""

    host: Annotated[str, Field(min_length=1, description="Name or address of the server")]
    port: Annotated[int, Field(ge=1, le=65535, description="Its port")] = 22
    user: Annotated[str, Field(min_length=1, description="Name of the box's account there")]
    known_hosts: Annotated[
        str, Field(min_length=1, description="The server's host key, as `ssh-keyscan HOST` prints it")
    ]
    key_file: Annotated[str, Field(description="Credential: private key")] = ""
    password_file: Annotated[str, Field(description="Credential: password, where there is no key")] = ""
    folder: Annotated[str, Field(description="Folder on the server; empty = where the account begins")] = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.key_file) == bool(self.password_file):
            raise ValueError("one of key_file and password_file must be given")
        return self


class Sftp(Filed):
    options: SftpOptions

    def __init__(self, options: SftpOptions, place: Place) -> None:
        super().__init__(options, place)
        self._connection: SSHClientConnection | None = None
        self._client: SFTPClient | None = None
        self._connecting = asyncio.Lock()

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        await self.close()
        return await super().open()

    async def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()

    async def put(self, name: str, content: Content) -> None:
        from asyncssh import SFTPConnectionLost, SFTPError, SFTPNoConnection

        try:
            await self._put(PurePosixPath(self.options.folder) / name, content)
        except SFTPError as error:
            if isinstance(error, SFTPConnectionLost | SFTPNoConnection):
                await self.close()
            raise
        except BaseException:
            await (
                self.close()
            )  # a line that did not answer in time, or properly, is not trusted with the next file
            raise

    async def _put(self, path: PurePosixPath, content: Content) -> None:
        from asyncssh import SFTPNoSuchFile

        client = await self._connected()
        try:
            if (await client.stat(str(path))).size == content.size:
                return  # it was moved there whole, and its name carries its digest
        except SFTPNoSuchFile:
            await client.makedirs(str(path.parent), exist_ok=True)
        await self._write(client, f"{path}.part", content)
        await self._move(client, f"{path}.part", str(path))

    async def _write(self, client: SFTPClient, part: str, content: Content) -> None:
        from asyncssh import SFTPOpUnsupported

        async with client.open(part, "wb") as file:
            async for piece in self.pieces(content):
                await file.write(piece)
            try:
                await file.fsync()
            except SFTPOpUnsupported:
                return  # not every server can; the move still makes it whole or not there

    async def _move(self, client: SFTPClient, part: str, path: str) -> None:
        """Onto whatever is there; servers without OpenSSH's extension need the way cleared first."""
        from asyncssh import SFTPNoSuchFile, SFTPOpUnsupported

        try:
            await client.posix_rename(part, path)
        except SFTPOpUnsupported:
            with contextlib.suppress(SFTPNoSuchFile):
                await client.remove(path)
            await client.rename(part, path)

    async def _connected(self) -> SFTPClient:
        async with self._connecting:
            if self._client is None or self._connection is None or self._connection.is_closed():
                await self.close()
                self._connection = await self._connect()
                self._client = await self._connection.start_sftp_client()
            return self._client

    async def _connect(self) -> SSHClientConnection:
        import asyncssh

        options = self.options
        try:
            known = asyncssh.import_known_hosts(options.known_hosts)
        except ValueError:
            raise Ended(Verdict.PARKED, "known_hosts is not what ssh-keyscan prints") from None
        key: tuple[asyncssh.SSHKey, ...] = ()
        password = None
        if options.key_file:
            try:
                text = self.place.secret(options.key_file).get_secret_value() + "\n"
                key = (asyncssh.import_private_key(text),)
            except asyncssh.KeyImportError:
                raise Ended(Verdict.PARKED, "the private key cannot be read") from None
        else:
            password = self.place.secret(options.password_file).get_secret_value()
        return await asyncssh.connect(
            options.host,
            options.port,
            username=options.user,
            known_hosts=known,
            client_keys=list(key),
            password=password,
            agent_path=None,
            config=None,
            preferred_auth="publickey" if key else "password,keyboard-interactive",
            connect_timeout=options.timeout_s,
            login_timeout=options.timeout_s,
            keepalive_interval=max(5.0, options.timeout_s / 2),
        )

    def known(self, error: Exception) -> Outcome | None:
        import asyncssh

        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return Outcome(
                Verdict.PARKED,
                "the server's host key is not the one that was written down: is it the same server?",
            )
        if isinstance(error, asyncssh.PermissionDenied):
            return Outcome(Verdict.PARKED, "the server does not accept the box's credentials")
        if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPWriteProtect):
            return Outcome(Verdict.PARKED, "not allowed to write there")
        if isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded):
            return Outcome(Verdict.WAIT, "no space left there", 60.0)
        if isinstance(error, asyncssh.Error):
            return Outcome(Verdict.AGAIN, "the connection was lost")
        if isinstance(error, ValueError):  # of a greeting that is no text, for one
            return Outcome(Verdict.AGAIN, "the server says what is not SSH")
        return None
