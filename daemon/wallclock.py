"""Whether the box's clock can be believed, and when it was set or has stepped.

A box without a battery wakes in 1970, or at the time at which it was switched off. So a clock is believed when its year can be and
nothing that keeps the time here says otherwise: the kernel (clock_adjtime(2): STA_UNSYNC), systemd's mark, a clock with a battery
that the kernel was started from. Where a service keeps the time and has not set it yet, its word counts.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.model.signals import Fact, FactState, Nanos

log = logging.getLogger(__name__)

CLOCK = "clock"
"""Source of the Fact that times may be wrong."""

EARLIEST_NS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**9
"""No box is older than this program: a clock that says so was never set."""

STEP_NS: Nanos = 20_000_000
"""A difference between the clock and CLOCK_BOOTTIME that is not the noise of reading both. What a service slews, it slews in both."""

LOOK_EVERY_S = 1.0

_STA_UNSYNC = 0x40
_TIMEX_STATUS, _TIMEX_BYTES = 40, 208  # offset of `status` in struct timex on 64-bit Linux; its size
_SERVICES = ("systemd/timesync", "chrony", "chronyd", "ntpd")
_MARK = "systemd/timesync/synchronized"


@dataclass(frozen=True, slots=True)
class Seen:
    """UTC = CLOCK_BOOTTIME + `offset_ns`; `is_set`: it can be believed."""

    offset_ns: Nanos
    is_set: bool


def read(run: Path = Path("/run"), rtc: Path = Path("/sys/class/rtc")) -> Seen:
    """The clock now."""
    offset_ns = utc_offset_ns()
    return Seen(offset_ns, believed(time.time_ns(), kernel_is_synchronised(), run, rtc))


def believed(utc_ns: Nanos, synchronised: bool, run: Path, rtc: Path) -> bool:
    """Whether a clock can be believed; `run` is where services leave their marks, `rtc` where the kernel shows its clocks."""
    if utc_ns < EARLIEST_NS:
        return False
    if synchronised or (run / _MARK).exists() or _started_from_battery(rtc):
        return True
    return not any((run / service).exists() for service in _SERVICES)


def kernel_is_synchronised() -> bool:
    """What the kernel was told of its clock; False where it does not say, or may not be asked."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        said = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (OSError, AttributeError):
        return False
    return (
        said >= 0 and not int.from_bytes(timex.raw[_TIMEX_STATUS : _TIMEX_STATUS + 4], "little") & _STA_UNSYNC
    )


def utc_offset_ns() -> Nanos:
    """UTC of the kernel's clock, less CLOCK_BOOTTIME: the best of a few readings, for one may be interrupted between the two."""
    best: tuple[int, int] | None = None
    for _ in range(3):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        utc_ns = time.time_ns()
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        reading = (after - before, utc_ns - (before + after) // 2)
        best = min(best, reading) if best else reading
    assert best is not None
    return best[1]


def _started_from_battery(rtc: Path) -> bool:
    for mark in rtc.glob("*/hctosys"):
        try:
            if mark.read_text(encoding="ascii").strip() == "1":
                return True
        except OSError:
            continue
    return False


class WallClock:
    """Looks at the clock; `changed` hears when it was set, stepped, or is to be believed no more; `fact` of the same for people."""

    def __init__(
        self,
        changed: Callable[[Seen], None],
        fact: Callable[[Fact], None],
        now: Callable[[], Nanos],
        look: Callable[[], Seen] = read,
    ) -> None:
        self._changed = changed
        self._fact = fact
        self._now = now
        self._look = look
        self.seen = look()

    @property
    def is_set(self) -> bool:
        return self.seen.is_set

    def utc(self) -> tuple[Nanos, bool]:
        """UTC in nanoseconds, and whether the clock can be believed."""
        return time.time_ns(), self.seen.is_set

    async def run(self) -> None:
        """Until cancelled."""
        if not self.seen.is_set:
            self._tell()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.step()

    def step(self) -> None:
        """Look once."""
        before, seen = self.seen, self._look()
        stepped = abs(seen.offset_ns - before.offset_ns) > STEP_NS
        if not stepped and seen.is_set == before.is_set:
            return
        self.seen = seen
        log.warning(
            "clock: %s%s",
            f"stepped by {(seen.offset_ns - before.offset_ns) / 1e9:+.3f} s" if stepped else "as it was",
            "" if seen.is_set else "; it is not to be believed",
        )
        self._changed(seen)
        if seen.is_set != before.is_set:
            self._tell()

    def _tell(self) -> None:
        now_ns = self._now()
        state = FactState.OK if self.seen.is_set else FactState.FAILED
        self._fact(Fact(CLOCK, state, since_ns=now_ns, t_ns=now_ns))
