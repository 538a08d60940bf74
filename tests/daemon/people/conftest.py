"""A desk with its box.db in a folder, a clock that is turned by hand, and a cost of hashing that is next to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from daemon.model.actor import Actor, acts
from daemon.people.passwords import Passwords
from daemon.people.signings import Spans
from daemon.signing import Signing
from daemon.store.box import BoxFile

S = 1_000_000_000
CHEAP = (64, 1, 1)


class Desk:
    """`signing` as the daemon has it. `at` says from where is acted: the bed, an address, or the console."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "box.db"
        self.now_ns = 1000 * S
        self.utc_ns = 1_790_000_000 * S
        self.slept: list[float] = []
        self.open()

    def open(self, boot: str = "boot-1") -> None:
        self.file = BoxFile(self.path)
        self.signing = Signing(
            self.file,
            self.path,
            boot,
            now=lambda: self.now_ns,
            utc=lambda: (self.utc_ns, True),
            spans=Spans(),
            passwords=Passwords(CHEAP),
        )
        self.signing.entrance._sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * S)

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)

    async def close(self) -> None:
        await self.signing.close()
        await self.file.close()

    async def again(self, boot: str = "boot-1") -> None:
        """The daemon starts anew."""
        await self.close()
        self.open(boot)
        await self.signing.restore()

    def at(self, origin: str = "127.0.0.1", held: str = ""):
        """Within it, whoever holds `held` acts from `origin`."""
        if origin == "console":
            return acts(Actor("console (root)", None, "console (root)"))
        return acts(self.actor(held, origin))

    def actor(self, held: str = "", origin: str = "127.0.0.1", *, active: bool = True) -> Actor:
        return self.signing.entrance.actor(held, origin, bedside=origin == "127.0.0.1", active=active)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Desk]:
    desk = Desk(folder)
    await desk.signing.restore()
    yield desk
    await desk.close()


@pytest.fixture
async def desk(tmp_path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as desk:
        yield desk


@pytest.fixture
def desk_at() -> Callable[[Path], AbstractAsyncContextManager[Desk]]:
    """A desk in another folder."""
    return opened
