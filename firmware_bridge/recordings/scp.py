"""SCP-ECG (EN 1064 / ISO 11073-91064) as a recording: the rhythm data of section 6, in counts of the record's own unit.

Read: uncompressed and Huffman-coded data (the default table or the record's own), plain or as first or second differences.
Not read, and said: bimodal compression and records whose reference beat was subtracted. Every checksum that is there is held
against its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_bridge.frames import Channel, Counts, Quantity
from firmware_bridge.recordings import BadRecording, Recording, distinct
from firmware_bridge.recordings.scp_format import DEFAULT_TABLE, LEAD_NAMES, crc

LARGEST = 64 << 20
_LAST = 11
_HEADER = 16


@dataclass(frozen=True, slots=True)
class Code:
    """A Huffman code: after `prefix` bits, `extra` bits of the sample itself (two's complement), or the value."""

    extra: int
    value: int


Table = Mapping[tuple[int, int], Code]
"""(length of the prefix, prefix) -> code."""


def read(path: Path) -> Recording:
    """Open an existing SCP-ECG file. Raises BadRecording."""
    if path.stat().st_size > LARGEST:
        raise BadRecording(f"{path}: too large for an SCP-ECG record")
    data = path.read_bytes()
    try:
        sections = sections_of(data)
        return _recording(path, sections)
    except (struct.error, IndexError) as error:
        raise BadRecording(f"{path}: the SCP-ECG record is damaged ({error})") from None
    except _Bad as error:
        raise BadRecording(f"{path}: {error}") from None


class _Bad(Exception):
    """What is wrong with the record."""


def sections_of(data: bytes) -> dict[int, bytes]:
    """The sections that are there, by number, without their headers. Raises `_Bad`, struct.error."""
    if len(data) < 6 + _HEADER:
        raise _Bad("not an SCP-ECG record")
    told, size = struct.unpack_from("<HI", data)
    if data[6 + 2 : 6 + 4] != b"\0\0" or not 6 + _HEADER < size <= len(data):
        raise _Bad("not an SCP-ECG record, or one that ends before the end that it promises (truncated)")
    if crc(data[2:size]) != told:
        raise _Bad("the SCP-ECG record's checksum is wrong: the file is damaged")
    body = _section(data, 6, 0)
    found: dict[int, bytes] = {}
    for at in range(0, len(body) - 9, 10):
        number, length, index = struct.unpack_from("<HII", body, at)
        if 0 < number <= _LAST and length > _HEADER:
            found[number] = _section(data, index - 1, number)
    return found


def _section(data: bytes, at: int, number: int) -> bytes:
    if at < 0:
        raise _Bad(f"section {number} lies nowhere")
    told, given, length = struct.unpack_from("<HHI", data, at)
    if given != number or at + length > len(data) or length < _HEADER:
        raise _Bad(f"section {number} is not where the record says it is")
    if told and crc(data[at + 2 : at + length]) != told:
        raise _Bad(f"the checksum of section {number} is wrong: the file is damaged")
    return data[at + _HEADER : at + length]


def _recording(path: Path, sections: Mapping[int, bytes]) -> Recording:
    if 3 not in sections or 6 not in sections:
        raise _Bad("has no rhythm data (sections 3 and 6)")
    names, spans, flags = _leads(sections[3])
    body = sections[6]
    unit_nv, period_us, differences, bimodal = struct.unpack_from("<HHBB", body)
    if bimodal:
        raise _Bad("its rhythm data are compressed bimodally, which is not read")
    if flags & 1 and 5 in sections:
        raise _Bad("a reference beat was subtracted from its rhythm data, which is not read")
    if not unit_nv or not period_us:
        raise _Bad("says neither how much a step is nor how far samples are apart")
    lengths = struct.unpack_from(f"<{len(names)}H", body, 6)
    tables = _tables(sections[2]) if 2 in sections else None
    rows, at = [], 6 + 2 * len(names)
    for (first, last), length in zip(spans, lengths, strict=True):
        n = last - first + 1
        coded = body[at : at + length]
        if len(coded) < length:
            raise _Bad("its rhythm data end too early (truncated)")
        rows.append(
            _integrated(_plain(coded, n) if tables is None else _decoded(coded, n, tables), differences)
        )
        at += length
    starts = {first for first, _ in spans}
    if len(starts) != 1 or len({row.size for row in rows}) != 1:
        raise _Bad("its leads were not all recorded at once, which is not read")
    counts = np.stack(rows).astype(np.int32)
    channels = tuple(
        Channel(name, Quantity.ECG, "mV", unit_nv * 1e-6, 0.0, -32768, 32767) for name in distinct(names)
    )
    return Recording(path.stem, 1e6 / period_us, channels, counts.shape[1], _reader(counts))


def _reader(counts: Counts) -> Callable[[int, int], Counts]:
    return lambda start, stop: counts[:, start:stop]


def _leads(body: bytes) -> tuple[list[str], list[tuple[int, int]], int]:
    """Names, first and last samples of the leads, and the flags."""
    n, flags = body[0], body[1]
    if not n:
        raise _Bad("has no leads")
    names, spans = [], []
    for at in range(n):
        first, last, lead = struct.unpack_from("<IIB", body, 2 + 9 * at)
        if not 0 < last - first + 1 <= LARGEST:
            raise _Bad("a lead has no samples")
        names.append(LEAD_NAMES.get(lead, f"lead {lead}"))
        spans.append((first, last))
    return names, spans, flags


def _plain(coded: bytes, n: int) -> Counts:
    if len(coded) < 2 * n:
        raise _Bad("its rhythm data end too early (truncated)")
    return np.frombuffer(coded, "<i2", n).astype(np.int32)


def _integrated(row: Counts, differences: int) -> Counts:
    """From differences (first or second; the first samples stand as they are) to samples."""
    if differences == 0:
        return row
    out = row.astype(np.int64)
    if differences == 1:
        return np.cumsum(out).astype(np.int32)
    if differences != 2:
        raise _Bad(f"differences of kind {differences} are not known")
    steps = out.copy()
    if steps.size > 1:
        steps[1] = out[1] - out[0]
        steps[1:] = np.cumsum(steps[1:])
    return np.cumsum(steps).astype(np.int32)


def default_table() -> Table:
    """Table 19999: 0, then +-1 to +-8 with ever longer prefixes of ones, then 8 or 16 bits of the sample itself."""
    table: dict[tuple[int, int], Code] = {(1, 0): Code(0, 0)}
    for magnitude in range(1, 9):
        ones = (1 << magnitude) - 1
        for sign, bit in ((1, 0), (-1, 1)):
            table[magnitude + 2, ones << 2 | bit] = Code(0, sign * magnitude)
    table[10, 0b1111111110] = Code(8, 0)
    table[10, 0b1111111111] = Code(16, 0)
    return table


def _tables(body: bytes) -> Sequence[Table]:
    (count,) = struct.unpack_from("<H", body)
    if count == DEFAULT_TABLE:
        return [default_table()]
    if not 0 < count < 256:
        raise _Bad("its Huffman tables cannot be read")
    tables, at = [], 2
    for _ in range(count):
        (codes,) = struct.unpack_from("<H", body, at)
        at += 2
        table: dict[tuple[int, int], Code] = {}
        for _ in range(codes):
            prefix, bits, mode, value, code = struct.unpack_from("<BBBhI", body, at)
            at += 9
            if not mode or not 0 < prefix <= 32 or bits < prefix:
                raise _Bad("its Huffman tables switch from one to another, which is not read")
            # The base code is given with its first bit lowest.
            reversed_code = int(f"{code & (1 << prefix) - 1:0{prefix}b}"[::-1], 2)
            table[prefix, reversed_code] = Code(bits - prefix, value)
        tables.append(table)
    return tables


def _decoded(coded: bytes, n: int, tables: Sequence[Table]) -> Counts:
    """Samples of one lead by the first table."""
    if n > 8 * len(coded):  # no code is shorter than a bit
        raise _Bad("its rhythm data end too early (truncated)")
    table = tables[0]
    bits = np.unpackbits(np.frombuffer(coded, np.uint8)).tolist()
    longest = max(length for length, _ in table)
    out = np.zeros(n, np.int32)
    at, total = 0, len(bits)
    for number in range(n):
        prefix = length = 0
        while True:
            if at >= total:
                raise _Bad("its rhythm data end too early (truncated)")
            prefix, length, at = prefix << 1 | bits[at], length + 1, at + 1
            code = table.get((length, prefix))
            if code is not None:
                break
            if length >= longest:
                raise _Bad("its rhythm data are not of its Huffman table")
        if not code.extra:
            out[number] = code.value
            continue
        value = 0
        for bit in bits[at : at + code.extra]:
            value = value << 1 | bit
        at += code.extra
        if at > total:
            raise _Bad("its rhythm data end too early (truncated)")
        out[number] = value - (1 << code.extra) if value >> code.extra - 1 else value
    return out
