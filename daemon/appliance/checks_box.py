"""Checks of `vitald doctor` on the machine itself: configuration, files, disk, clock, id, memory, heat, supply."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from daemon.appliance import machine
from daemon.appliance.findings import Finding, found
from daemon.appliance.hardware import HOT_C, POWER, SHORT_OF_MEMORY, STALLED_PCT, Inputs
from daemon.appliance.surroundings import Surroundings
from daemon.wallclock import EARLIEST_NS, believed

FULL_MB = 20
FEW_FILES = 1000
SLOW_S = 0.5
"""A card that is well takes some tens of milliseconds; the store commits once a second."""

OTHERS_WRITE, OTHERS_READ = stat.S_IWOTH, stat.S_IROTH | stat.S_IXOTH


def configuration(box: Surroundings) -> Iterator[Finding]:
    """Whether it can be read, and every destination made of it."""
    if box.config is None:
        yield found("configuration.bad", why=box.bad_config, path=box.path)
    for name, why in box.misconfigured.items():
        if why:
            yield found("configuration.destination", name=name, why=why)


def files(box: Surroundings) -> Iterator[Finding]:
    """Who may read and change what: patients' data and secrets are nobody else's."""
    yield from _open_to_all(box.path, OTHERS_WRITE)
    if box.config is None:
        return
    yield from _open_to_all(box.path.parent, OTHERS_WRITE)
    data, secrets = box.config.box.data, box.config.forward.credentials
    for folder in (data, box.config.forward_data, box.config.web_data):
        yield from _open_to_all(folder, OTHERS_WRITE | OTHERS_READ)
    for name in ("vitald.db", "vitald.db-wal", "box.db", "box.db-wal"):
        yield from _open_to_all(data / name, OTHERS_WRITE | stat.S_IROTH)
    yield from _open_to_all(box.config.box.run, OTHERS_WRITE | OTHERS_READ)
    yield from _open_to_all(secrets, OTHERS_WRITE | OTHERS_READ)
    try:
        kept = sorted(secrets.iterdir()) if secrets.is_dir() else []
    except PermissionError:
        yield found("files.not_ours", path=secrets)
        return
    for path in kept:
        yield from _open_to_all(path, OTHERS_WRITE | stat.S_IROTH)


def disk(box: Surroundings) -> Iterator[Finding]:
    """Where the databases are: room, files, and whether and how fast it takes a write."""
    if box.config is None:
        return
    path, keep_mb = box.config.box.data, box.config.store.keep_free_mb
    seen = machine.disk(path)
    if seen is None:
        yield found("disk.missing", path=path)
        return
    free_mb = seen.free // 1_000_000
    if machine.keeps_nothing(box.root):
        yield found("disk.not_kept")
    if seen.read_only:
        yield found("disk.read_only", path=path)
        return
    if free_mb < min(FULL_MB, keep_mb):
        yield found("disk.full", path=path, free=free_mb)
    elif free_mb < keep_mb:
        yield found("disk.low", path=path, free=free_mb, keep=keep_mb)
    if seen.files and seen.files_free < FEW_FILES:
        yield found("disk.inodes", path=path, files=seen.files_free)
    if box.quick:
        return
    try:
        took_s = box.synced_s(path)
    except OSError as error:
        if free_mb >= FULL_MB:  # else it is full, and that was said
            yield found("disk.fails", path=path, why=error.strerror)
        return
    if took_s > SLOW_S:
        yield found("disk.slow", path=path, seconds=f"{took_s:.1f}")


def clock(box: Surroundings) -> Iterator[Finding]:
    """Whether the time is known, and kept."""
    utc_ns = box.utc_ns()
    synchronised = box.synchronised()
    if utc_ns < EARLIEST_NS:
        yield found(
            "clock.never_set", utc=datetime.fromtimestamp(utc_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
        )
    elif not believed(utc_ns, synchronised, box.root / "run", box.root / "sys/class/rtc"):
        yield found("clock.not_synchronised")


def machine_id(box: Surroundings) -> Iterator[Finding]:
    """Whether the machine has one."""
    if not machine.machine_id(box.root):
        yield found("machine.no_id")


def memory(box: Surroundings) -> Iterator[Finding]:
    """How much is left, and whether anything waits for it."""
    seen = machine.memory(box.root)
    if seen is None:
        return
    if seen.available < SHORT_OF_MEMORY * seen.total:
        yield found("memory.low", free=seen.available // 1_000_000, total=seen.total // 1_000_000)
    if seen.stalled_pct is not None and seen.stalled_pct >= STALLED_PCT:
        yield found("memory.pressure", pct=f"{seen.stalled_pct:.0f}")


def heat(box: Surroundings) -> Iterator[Finding]:
    """The hottest part, and what the firmware does about it."""
    degrees, bits = machine.temperature_c(box.root), machine.throttled(box.root)
    if bits is not None and bits & (machine.THROTTLED_NOW | machine.SOFT_LIMIT_NOW):
        yield found("heat.throttled")
    elif degrees is not None and degrees >= HOT_C:
        yield found("heat.high", degrees=f"{degrees:.0f}")


def supply(box: Surroundings) -> Iterator[Finding]:
    """Voltage, where the firmware tells; mains, where an input does."""
    bits = machine.throttled(box.root) or 0
    if bits & machine.UNDER_VOLTAGE_NOW:
        yield found("supply.low")
    elif bits & machine.UNDER_VOLTAGE_SINCE:
        yield found("supply.was_low")
    told = box.state is not None and any(fact.source == POWER for fact in box.state.facts)
    if told or (box.config is not None and Inputs(box.config.hardware.mains_file).mains_lost()):
        yield found("supply.mains")


def _open_to_all(path: Path, wrong: int) -> Iterator[Finding]:
    """A file or folder with a right for everybody that it must not have. A folder's own sticky bit (as /tmp has) is enough."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        yield found("files.not_ours", path=path)
        return
    except OSError:
        return
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        wrong &= ~OTHERS_WRITE
    if mode & wrong:
        what = "changed" if mode & wrong & OTHERS_WRITE else "read"
        right = "o-w" if wrong == OTHERS_WRITE else "o-rwx"
        yield found("files.too_open", path=path, mode=f"{mode & 0o7777:04o}", what=what, right=right)
