"""CSV: a header row of lead names, then one row a sample, in mV.

A unit other than mV stands behind the name, in brackets or as a suffix (`flow_lpm`, `o2_pct`); where any column has such
a suffix, a column without a unit is a plain number. The rate stands in a line `# rate_hz=500` above the header, or follows from a first column named time, t or seconds
(in seconds) or time_ms. Numbers become counts of a power of ten that loses none of their decimals (at most six).
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Channel, Counts, Quantity
from firmware_bridge.recordings import BadRecording, Recording, distinct, lead_name, quantity_of

TIME_COLUMNS = {"time": 1.0, "t": 1.0, "t_s": 1.0, "time_s": 1.0, "seconds": 1.0, "time_ms": 1e-3, "ms": 1e-3}
UNIT = re.compile(r"\s*[\[(]\s*(?P<unit>[^\])]*?)\s*[\])]\s*$")
IN_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1000.0}
SUFFIXES = {
    "pa": "Pa",
    "kpa": "kPa",
    "cmh2o": "cmH2O",
    "mbar": "mbar",
    "lpm": "L/min",
    "lps": "L/s",
    "pct": "%",
    "rpm": "1/min",
    "w": "W",
}
MOST_DECIMALS = 6
STEADY = 0.02  # how far a time column's steps may stray from their mean, as a share of it
LIMIT = 2**31 - 1

Matrix = npt.NDArray[np.float64]


def read(path: Path) -> Recording:
    """Read an existing CSV file. Raises BadRecording."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError):
        raise BadRecording(f"{path}: not a text file in UTF-8") from None
    header, rate_hz, body_line = _header(path, text)
    separator = next((s for s in (";", "\t") if s in header), ",")
    names = [name.strip().strip('"') for name in header.split(separator)]
    values = _values(path, text, body_line, separator, len(names))
    if names[0].lower() in TIME_COLUMNS:
        rate_hz = rate_hz or _rate_of(path, values[:, 0] * TIME_COLUMNS[names[0].lower()])
        names, values = names[1:], values[:, 1:]
    if rate_hz is None:
        raise BadRecording(
            f"{path}: no rate: a line '# rate_hz=500' above the header, or a time column, is missing"
        )
    if not names:
        raise BadRecording(f"{path}: has no channels")
    channels, rows = _scaled(path, names, values)

    def counts(start: int, stop: int) -> Counts:
        return rows[:, start:stop]

    return Recording(path.stem, rate_hz, channels, len(values), counts)


def _header(path: Path, text: str) -> tuple[str, float | None, int]:
    """The header row, the rate if a comment tells it, and the number of the line after the header."""
    rate_hz = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            if found := re.match(r"#\s*rate_hz\s*[=:]\s*(\S+)", stripped):
                try:
                    rate_hz = float(found[1])
                except ValueError:
                    rate_hz = -1.0
                if not 0 < rate_hz <= 100_000:
                    raise BadRecording(f"{path}: line {number}: {found[1]!r} is no rate in Hz")
        elif stripped:
            first = re.split(r"[,;\t]", stripped)[0]
            try:
                float(first)
            except ValueError:
                return stripped, rate_hz, number
            raise BadRecording(
                f"{path}: line {number}: the header row with the names of the leads is missing"
            )
    raise BadRecording(f"{path}: has no header row")


def _values(path: Path, text: str, header_line: int, separator: str, columns: int) -> Matrix:
    body = text.splitlines()[header_line:]
    if not any(line.strip() and not line.lstrip().startswith("#") for line in body):
        raise BadRecording(f"{path}: holds no samples")
    try:
        values = np.loadtxt(io.StringIO("\n".join(body)), delimiter=separator, ndmin=2, dtype=np.float64)
    except ValueError:
        raise BadRecording(
            f"{path}: line {_bad_line(body, separator) + header_line}: not {columns} numbers"
        ) from None
    if values.shape[1] != columns:
        raise BadRecording(f"{path}: rows have {values.shape[1]} columns, the header has {columns}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise BadRecording(f"{path}: sample {row} is not a finite number")
    return values


def _bad_line(body: list[str], separator: str) -> int:
    """The number (from 1) of the first line that is no row like the first one."""
    width: int | None = None
    for number, line in enumerate(body, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = line.split("#")[0].split(separator)
        width = width or len(cells)
        try:
            [float(cell) for cell in cells]
        except ValueError:
            return number
        if len(cells) != width:
            return number
    return len(body)


def _rate_of(path: Path, t_s: Matrix) -> float:
    steps = np.diff(t_s)
    mean = float(steps.mean()) if len(steps) else 0.0
    if mean <= 0 or float(np.abs(steps - mean).max()) > max(STEADY * mean, 1.1e-3):
        raise BadRecording(f"{path}: the time column does not rise in even steps")
    # Times are written with few digits: over the whole column the rate is exact enough to be a round number.
    rate_hz = 1 / mean
    return round(rate_hz, 1) if abs(round(rate_hz, 1) - rate_hz) < 1e-3 * rate_hz else rate_hz


def _scaled(path: Path, names: list[str], values: Matrix) -> tuple[tuple[Channel, ...], Counts]:
    suffixes = [SUFFIXES.get(name.lower().rpartition("_")[2]) if "_" in name else None for name in names]
    usual = "1" if any(suffixes) else "mV"
    units = []
    bare = []
    for name, suffix in zip(names, suffixes, strict=True):
        found = UNIT.search(name)
        plain = name[: found.start()] if found else name.rpartition("_")[0] if suffix else name
        units.append(found["unit"] if found else suffix or usual)
        bare.append(lead_name(plain))
    channels = []
    rows = np.zeros((len(names), len(values)), dtype=np.int32)
    for place, (name, unit) in enumerate(zip(distinct(bare), units, strict=True)):
        mv = IN_MV.get(unit.lower())
        decimals = _decimals(values[:, place])
        scaled = np.rint(values[:, place] * 10**decimals)
        if np.abs(scaled).max() > LIMIT:
            raise BadRecording(f"{path}: channel {name} holds values beyond 32 bits")
        rows[place] = scaled
        quantity = quantity_of(name, unit) if mv is None else _quantity(name)
        channels.append(Channel(name, quantity, unit if mv is None else "mV", (mv or 1.0) / 10**decimals))
    return tuple(channels), rows


def _quantity(name: str) -> Quantity:
    return quantity_of(name, "mV")


def _decimals(values: Matrix) -> int:
    """The fewest decimals (0 to 6) that keep every value, as far as 32 bits allow."""
    most = float(np.abs(values).max())
    fit = [d for d in range(MOST_DECIMALS + 1) if most * 10**d <= LIMIT]
    for decimals in fit:
        scaled = values * 10**decimals
        if float(np.abs(scaled - np.rint(scaled)).max()) < 1e-6 * max(1.0, most * 10**decimals * 1e-6):
            return decimals
    return fit[-1] if fit else 0
