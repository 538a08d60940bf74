"""A real board of our own, a real pseudo-terminal with a device behind it, and acquisition between them.

The board's frames carry the sample's number as its value, so that a test can tell which samples arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from daemon.acquisition.ports import Acquisition
from daemon.config import Bed, Device
from daemon.model.signals import DeviceSeen, Gap, Item, LinkState, SampleBlock, Tick
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    PortSettings,
    Quantity,
    Samples,
    StreamSpec,
)

RATE_HZ = 500
FRAME_BYTES = 8


def frame(kind: bytes, body: bytes) -> bytes:
    """A5, kind, five bytes, check: 8 bytes."""
    body = body.ljust(5, b"\0")[:5]
    return b"\xa5" + kind + body + bytes([sum(kind + body) & 0xFF])


def sample(number: int) -> bytes:
    return frame(b"S", struct.pack("<I", number & 0xFFFFFFFF))


class CountingBoard:
    """Asks who is there, then starts; counts unless its options say that it cannot."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = options
        self.buffer = b""
        self.expected: int | None = None
        self.asked_ns = -(10**12)
        self.known = False
        self.started = False

    @property
    def facts(self) -> Facts:
        return CountingKind.FACTS

    def opened(self, now_ns: int) -> None:
        self.asked_ns = -(10**12)

    def due(self, now_ns: int) -> bytes | None:
        if self.options.get("mute") or self.started or now_ns - self.asked_ns < 100_000_000:
            return None
        self.asked_ns = now_ns
        if not self.known:
            return b"?"
        return b"G"

    def closing(self) -> bytes:
        return b"X"

    def feed(self, data: bytes, now_ns: int) -> list[Frame]:
        self.buffer += data
        out: list[Frame] = []
        numbers: list[int] = []
        lost = 0

        def flush() -> None:
            nonlocal numbers, lost
            if numbers:
                counts = np.ascontiguousarray(np.array([numbers, numbers], dtype=np.int32))
                out.append(Samples("ecg", counts, now_ns, lost))
            numbers, lost = [], 0

        while len(self.buffer) >= FRAME_BYTES:
            one, kind = self.buffer[:FRAME_BYTES], self.buffer[1:2]
            if one[0] != 0xA5 or one[7] != sum(one[1:7]) & 0xFF or kind not in b"SIL!":
                self.buffer = self.buffer[1:]
                flush()
                out.append(Damage(1))
                continue
            self.buffer = self.buffer[FRAME_BYTES:]
            if kind == b"S":
                self.started = True
                (number,) = struct.unpack("<I", one[2:6])
                gap = (
                    0
                    if self.expected is None or self.options.get("counter") == "no"
                    else number - self.expected
                )
                if gap:
                    flush()
                    lost = gap
                numbers.append(number)
                self.expected = number + 1
            elif kind == b"I":
                flush()
                self.known = True
                out.append(Identity("counting", serial=one[2:7].rstrip(b"\0").decode(), firmware="1"))
            elif kind == b"L":
                flush()
                out.append(Leads((("LA", bool(one[2])),)))
            else:
                raise RuntimeError("the board's own bug")
        flush()
        return out


class CountingKind:
    FACTS = Facts(
        "counting",
        "Counting board",
        PortSettings(),
        RATE_HZ * FRAME_BYTES,
        (
            StreamSpec(
                "ecg",
                RATE_HZ,
                (Channel("I", Quantity.ECG, "mV", 0.001), Channel("II", Quantity.ECG, "mV", 0.001)),
            ),
        ),
    )

    @staticmethod
    def board(options: Mapping[str, str]) -> CountingBoard:
        return CountingBoard(options)

    @staticmethod
    def recognise(data: bytes) -> float:
        return 1.0 if data.count(b"\xa5S") > 5 else 0.0

    @staticmethod
    def questions() -> Sequence[tuple[bytes, int]]:
        return ()


class Plug:
    """A device on a pseudo-terminal, found under `path`. Streams from "G" to "X", or at once where `auto`."""

    def __init__(
        self, path: Path, serial: str = "SN1", *, auto: bool = False, rate_hz: float = RATE_HZ
    ) -> None:
        self.path = path
        self.serial = serial
        self.auto = auto
        self.rate_hz = rate_hz
        self.number = 0
        self.paused = False
        self.skip = 0
        self.heard = b""
        self.started = threading.Event()
        self.farewell = threading.Event()
        self._inject: list[bytes] = []
        self._quit = threading.Event()
        self._thread: threading.Thread | None = None
        self.plug()

    def plug(self, path: Path | None = None) -> None:
        self.path = path or self.path
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.node = os.ttyname(self._slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(self.node)
        self._quit.clear()
        self.started.clear()
        if self.auto:
            self.started.set()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is None:
            return
        self._quit.set()
        self._thread.join()
        self._thread = None
        self.path.unlink(missing_ok=True)
        os.close(self.master)
        os.close(self._slave)

    def inject(self, data: bytes) -> None:
        self._inject.append(data)

    def _speak(self) -> None:
        due = time.monotonic()
        period = 5 / self.rate_hz
        while not self._quit.is_set():
            due += period
            if select.select([self.master], [], [], max(0.0, due - time.monotonic()))[0]:
                with contextlib.suppress(OSError):
                    self._hear(os.read(self.master, 4096))
                time.sleep(max(0.0, due - time.monotonic()))
            while self._inject:
                self._write(self._inject.pop(0))
            if self.skip:
                self.number, self.skip = self.number + self.skip, 0
            if self.started.is_set() and not self.paused:
                for _ in range(5):
                    if self._write(sample(self.number)):
                        self.number += 1

    def _hear(self, data: bytes) -> None:
        self.heard += data
        for command in data:
            if command == ord("?"):
                self._write(frame(b"I", self.serial.encode()))
            elif command == ord("G"):
                self.started.set()
            elif command == ord("X"):
                self.started.clear()
                self.farewell.set()

    def _write(self, data: bytes) -> bool:
        try:
            return os.write(self.master, data) == len(data)
        except BlockingIOError:  # nobody reads: what a UART cannot hand on is lost
            return False


class Watch:
    """Acquisition with a reader that keeps every item."""

    def __init__(self, devices: Mapping[str, Sequence[Device]], **options: object) -> None:
        self.items: list[tuple[str, Item]] = []
        self.taken = threading.Condition()
        beds = {bed: Bed(devices=tuple(all_)) for bed, all_ in devices.items()}
        options.setdefault("boards", {"counting": CountingKind})
        self.acquisition = Acquisition(beds, "boot", **options)  # type: ignore[arg-type]
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.acquisition.start(asyncio.get_running_loop(), self.take)
        return self

    async def __aexit__(self, *_: object) -> None:
        stopped = await asyncio.to_thread(self.acquisition.stop)
        self.take()
        assert stopped

    def take(self) -> None:
        while items := self.acquisition.drain():
            self.items += items
            self._changed.set()

    async def until(self, what: Callable[[], object], seconds: float = 10.0) -> float:
        """Wait until `what` holds after some item; returns how long it took. The time-out is a failure."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while not what():
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic() - began

    def blocks(self, bed: str = "1", since: int = 0) -> list[SampleBlock]:
        return [i for b, i in self.items[since:] if b == bed and isinstance(i, SampleBlock)]

    def gaps(self) -> list[Gap]:
        return [i for _, i in self.items if isinstance(i, Gap)]

    def ticks(self) -> list[int]:
        return [i.t_ns for _, i in self.items if isinstance(i, Tick)]

    def states(self, bed: str = "1") -> list[LinkState]:
        seen = [i.state for b, i in self.items if b == bed and isinstance(i, DeviceSeen)]
        return [s for k, s in enumerate(seen) if k == 0 or s is not seen[k - 1]]

    def seen(self, bed: str = "1") -> DeviceSeen:
        return [i for b, i in self.items if b == bed and isinstance(i, DeviceSeen)][-1]

    def state(self, bed: str = "1") -> LinkState | None:
        return (self.states(bed) or [None])[-1]

    def samples(self, bed: str = "1") -> int:
        return sum(b.n for b in self.blocks(bed))

    def numbers(self, bed: str = "1") -> list[int]:
        return [int(v) for block in self.blocks(bed) for v in block.counts[0]]


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Callable[..., Plug]]:
    """Makes devices on pseudo-terminals: plug("ttyA", serial="SN1")."""
    made: list[Plug] = []

    def make(name: str = "ttyA", *args: object, **options: object) -> Plug:
        made.append(Plug(tmp_path / name, *args, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.unplug()


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[..., Device]:
    """Makes a configured device: wanted("ttyA", serial="SN1")."""

    def make(name: str = "ttyA", **options: object) -> Device:
        values = {"label": "ecg", "kind": "counting", "port": str(tmp_path / name), **options}
        return Device.model_validate(values)

    return make


@pytest.fixture
def watch() -> type[Watch]:
    return Watch
