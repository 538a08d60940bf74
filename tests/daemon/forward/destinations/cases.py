"""One case a destination: a real server, how to reach it (also through a proxy), and what it has, read by other means than ours.

A case is made once a module; every test gets a place of its own on the box's side.
"""

from __future__ import annotations

import gzip
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.forward.destinations import Destination, Sealed
from daemon.forward.destinations.kinds import make
from tests.daemon.forward.destinations.dropbox_server import Account
from tests.daemon.forward.destinations.gcs_server import BUCKET, Bucket, new_key, service_account
from tests.daemon.forward.destinations.rest_server import IDENTIFIER, PASSWORD, Backend
from tests.daemon.forward.destinations.threaded import threaded
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy


class Case(ABC):
    """A destination and its server. `timeout_s` is what its options say; `halfway` bytes cut a large send in its middle."""

    kind: str
    size = 120_000
    halfway = 60_000
    answers = True  # one reply to one request: the proxy can let a reply get lost
    keeps_files = True
    in_parts = False

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.port = 0

    @abstractmethod
    def options(self, port: int) -> dict[str, Any]:
        """For a server (or a proxy of it) on this port."""

    @abstractmethod
    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        """Write the files of secrets, and say what is secret in them."""

    @asynccontextmanager
    async def cutting(self, proxy: FaultsProxy) -> AsyncIterator[None]:
        """While this lasts, a large send is cut in its middle."""
        proxy.faults = Faults(reset_after_bytes=self.halfway)
        yield

    @abstractmethod
    def arrived(self, sealed: Sealed) -> list[bytes]:
        """What the server has of it: [] or its bytes, once however often it came."""

    @abstractmethod
    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        """The same of the report that went with it."""

    def destination(self, place, port: int | None = None, **more: Any) -> Destination:
        return make(self.kind, {**self.options(self.port if port is None else port), **more}, place)


class Kept(Case):
    """A case whose server keeps files: `files` are those there, by name."""

    @abstractmethod
    def files(self) -> dict[str, bytes]: ...

    def arrived(self, sealed: Sealed) -> list[bytes]:
        return [data for name, data in self.files().items() if name == sealed.path]

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        return [
            data
            for name, data in self.files().items()
            if sealed.key in name and not name.endswith(".ndjson.gz")
        ]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class FolderCase(Kept):
    kind = "folder"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.there = folder / "there"
        self.there.mkdir()

    def options(self, port: int) -> dict[str, Any]:
        return {"folder": str(self.there)}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        return []

    def files(self) -> dict[str, bytes]:
        return tree(self.there)


class StickCase(FolderCase):
    """The same folder as a stick."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.credentials(folder)

    def options(self, port: int) -> dict[str, Any]:
        return {"folder": str(self.there), "marker": "ward 3, stick 1"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        (self.there / "vitald.marker").write_text("ward 4\n" if wrong else "ward 3, stick 1\n")
        return []


class RestCase(Case):
    kind = "rest"
    keeps_files = False

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.backend = Backend()
        self.port = stack.enter_context(threaded(self.backend.app()))

    def options(self, port: int) -> dict[str, Any]:
        return {
            "url": f"http://127.0.0.1:{port}/api/v1",
            "identifier": IDENTIFIER,
            "password_file": "rest-password",
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        secret = "wrong password" if wrong else PASSWORD
        (folder / "rest-password").write_text(secret + "\n")
        return [secret, *self.backend.valid]

    def arrived(self, sealed: Sealed) -> list[bytes]:
        stored = self.backend.stored.get(sealed.key)
        if stored is None:
            return []
        body = stored.body
        # aiohttp's server has unpacked what was marked as packed.
        return [gzip.compress(body, 6, mtime=0) if sealed.coding == "gzip" else body]

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        stored = self.backend.stored.get(sealed.key)
        return [stored.file] if stored else []


class BatchCase(RestCase):
    """REST with whole batches."""

    def options(self, port: int) -> dict[str, Any]:
        return {**super().options(port), "form": "records"}


class DropboxCase(Kept):
    kind = "dropbox"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.account = Account()
        self.port = stack.enter_context(threaded(self.account.app()))

    def options(self, port: int) -> dict[str, Any]:
        url = f"http://127.0.0.1:{port}"
        return {"api_url": url, "content_url": url, "credentials_file": "dropbox.json", "folder": "/vitald"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        text = self.account.credential(**({"refresh_token": "stale-secret"} if wrong else {}))
        (folder / "dropbox.json").write_text(text)
        return ["refresh-secret", "stale-secret", "app-secret", "access-secret"]

    def files(self) -> dict[str, bytes]:
        return {name.removeprefix("/vitald/"): data for name, data in self.account.files.items()}

    def arrived(self, sealed: Sealed) -> list[bytes]:
        return [data for name, data in self.files().items() if name == sealed.path.lower()]


class GcsCase(Kept):
    """Our own small server, which honours preconditions and checks tokens."""

    kind = "gcs"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.bucket = Bucket()
        self.other_key = new_key()
        self.port = stack.enter_context(threaded(self.bucket.app()))
        self._asked = self.port

    def options(self, port: int) -> dict[str, Any]:
        self._asked = port
        return {"bucket": BUCKET, "service_account_file": "gcs.json"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        key = self.other_key if wrong else self.bucket.key
        text = service_account(f"http://127.0.0.1:{self._asked}", key)
        (folder / "gcs.json").write_text(text)
        return ["BEGIN PRIVATE KEY", text[40:140]]

    def destination(self, place, port: int | None = None, **more: Any) -> Destination:
        made = super().destination(place, port, **more)
        self.credentials(place.credentials)  # the server's address stands in the credential
        return made

    def files(self) -> dict[str, bytes]:
        return dict(self.bucket.objects)


def copied(source: Path, target: Path) -> None:
    """A file of secrets, readable by the box alone."""
    shutil.copyfile(source, target)
    target.chmod(0o600)
