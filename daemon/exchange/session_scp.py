"""A session's ECG as SCP-ECG (EN 1064 / ISO 11073-91064): uncompressed rhythm data, so that every count is the device's own.

Sections 0 pointers, 1 header, 3 leads, 6 rhythm, 7 global measurements, 8 and 11 statements, 10 measurements per lead. Integers
are little-endian. The format cannot say that samples are missing, and a lead is at most 64 KiB: such a stretch is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from daemon.exchange import waves as samples
from daemon.exchange.letters import latin_of
from daemon.exchange.observed import Median, Series, minutes
from daemon.exchange.stretch import MARK, NotExportable, Stretch
from daemon.model.signals import Channel
from daemon.words import say
from firmware_bridge.recordings.scp_format import LEAD_IDS, PROTOCOL, crc

MOST_SAMPLES = 32767
SECTIONS = 12
NOT_MEASURED = 29999
NO_AXIS = 999
_OTHER_MAKER = 255
LATIN_1 = 1
_LARGEST_UNIT_NV = 65535

Numbers = dict[tuple[str, str], float]


def write_scp(stretch: Stretch, to: Path) -> int:
    """Write the ECG of the stretch; the number of samples of all leads. Raises `NotExportable`, OSError."""
    waves = samples.ecg(stretch)
    piece = waves.whole()
    index = samples.leads(waves.line)
    _check(waves, piece, index)
    found = _numbers(stretch)
    channels = [waves.line.channels[i] for i in index]
    told = _statements(stretch)
    made = {
        1: _about(stretch),
        3: _leads(channels, piece.present.size),
        6: _rhythm(piece.counts[index], channels, waves.line.rate_hz),
        7: _measured(found),
        8: _text(stretch, told, section=8),
        10: _per_lead(channels, found),
        11: _text(stretch, told, section=11),
    }
    to.write_bytes(_record(made))
    return int(piece.counts[index].size)


def _check(waves: samples.Waves, piece: samples.Piece, index: list[int]) -> None:
    if not piece.present.all():
        raise NotExportable(
            "samples are missing in this span, and SCP-ECG cannot say so: choose a span without gaps (--from, --to)"
        )
    if piece.present.size > MOST_SAMPLES:
        longest = MOST_SAMPLES / waves.line.rate_hz
        raise NotExportable(
            f"SCP-ECG holds {longest:.0f} s of this ECG at most: choose a span (--from, --to)"
        )
    period_us = 1e6 / waves.line.rate_hz
    if abs(period_us - round(period_us)) > 1e-6 or not 1 <= round(period_us) <= 65535:
        raise NotExportable(
            f"SCP-ECG cannot say {waves.line.rate_hz:g} Hz: its sample interval is in whole microseconds"
        )
    if any(waves.line.channels[i].unit not in _NANOVOLTS for i in index):
        raise NotExportable("SCP-ECG holds voltages only, and this ECG's unit is none")


def _record(made: dict[int, bytes]) -> bytes:
    """Sections with their headers and the pointers to them, and the record's own checksum and length."""
    bodies = {number: _section(number, body) for number, body in made.items()}
    at = 6 + 16 + 10 * SECTIONS
    pointers = b""
    placed = {0: (16 + 10 * SECTIONS, 7)}
    for number, body in bodies.items():
        placed[number] = (len(body), at + 1)
        at += len(body)
    for number in range(SECTIONS):
        pointers += struct.pack("<HII", number, *placed.get(number, (0, 0)))
    content = _section(0, pointers) + b"".join(bodies.values())
    record = struct.pack("<I", len(content) + 6) + content
    return struct.pack("<H", crc(record)) + record


def _section(number: int, body: bytes) -> bytes:
    body += b"\0" * (len(body) % 2)
    reserved = b"SCPECG" if number == 0 else b"\0" * 6
    rest = struct.pack("<HIBB", number, len(body) + 16, PROTOCOL, PROTOCOL) + reserved + body
    return struct.pack("<H", crc(rest)) + rest


def _about(stretch: Stretch) -> bytes:
    """Section 1: tagged fields, patient and device."""
    subject, session = stretch.subject, stretch.session
    began = stretch.at(stretch.t0_ns)
    given, _, family = (subject.name if subject else "").strip().rpartition(" ")
    if stretch.demo:
        given, family = f"{given} {family}".strip(), "TEST"
    tags: list[tuple[int, bytes]] = []
    tags += [(0, _string(family))] if family else []
    tags += [(1, _string(given))] if given else []
    tags.append((2, _string(subject.id if subject else f"TEMP-{session.name}")))
    if subject is not None and (subject.age is not None or subject.age_text):
        tags.append((4, struct.pack("<HB", subject.age if subject.age is not None else 90, 1)))
    if subject is not None and subject.born is not None:
        tags.append((5, struct.pack("<HBB", subject.born.year, subject.born.month, subject.born.day)))
    tags.append((8, bytes([{"M": 1, "F": 2, "O": 9}.get(subject.sex if subject else "", 0)])))
    tags.append((14, _device(stretch)))
    tags.append((25, struct.pack("<HBB", began.year, began.month, began.day)))
    tags.append((26, struct.pack("<BBB", began.hour, began.minute, began.second)))
    notes = ([MARK] if stretch.demo else []) + ([] if session.clock_is_set else [say("exchange.clock_unset")])
    tags += [(30, _string(note)) for note in notes]
    offset = began.utcoffset()
    minutes_off = round(offset.total_seconds() / 60) if offset else 0
    tags.append((34, struct.pack("<hH", minutes_off, 0) + b"\0"))
    return b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in tags) + struct.pack(
        "<BH", 255, 0
    )


def _device(stretch: Stretch) -> bytes:
    """Tag 14: what acquired it; strings end with NUL."""
    fixed = struct.pack(
        "<HHHBB6sBBBBB16x", 0, 0, 0, 1, _OTHER_MAKER, b"vitald"[:5], PROTOCOL, 0xD0, LATIN_1, 0x08, 0
    )
    version = stretch.version.encode("ascii", "replace")[:20] + b"\0"
    strings = (stretch.session.device, stretch.version, "vitald", "vitald")
    return fixed + bytes([len(version)]) + version + b"".join(_string(text) for text in strings)


def _leads(channels: list[Channel], n: int) -> bytes:
    """Section 3: all leads were recorded at once."""
    head = struct.pack("<BB", len(channels), 0b100 | min(len(channels), 31) << 3)
    return head + b"".join(struct.pack("<IIB", 1, n, LEAD_IDS.get(c.name, 0)) for c in channels)


_NANOVOLTS = {"mV": 1e6, "uV": 1e3, "V": 1e9}


def _rhythm(counts: np.ndarray, channels: list[Channel], rate_hz: float) -> bytes:
    """Section 6: 16-bit numbers as they are, where one unit fits all leads; else in the finest unit that holds them."""
    unit_nv, told = _unit(counts, channels)
    lengths = struct.pack(f"<{len(channels)}H", *[2 * counts.shape[1]] * len(channels))
    return struct.pack("<HHBB", unit_nv, round(1e6 / rate_hz), 0, 0) + lengths + told.astype("<i2").tobytes()


def _unit(counts: np.ndarray, channels: list[Channel]) -> tuple[int, np.ndarray]:
    """Nanovolts a step, and the samples in it. The device's own step where it is whole nanovolts and zero is at a whole count."""
    gains = [c.gain * _NANOVOLTS[c.unit] for c in channels]
    first = round(gains[0])
    same = all(abs(gain - first) < 1e-6 * first for gain in gains) and 1 <= first <= _LARGEST_UNIT_NV
    if same and all(float(c.offset).is_integer() for c in channels):
        own = counts - np.array([int(c.offset) for c in channels], np.int64)[:, None]
        if np.abs(own).max(initial=0) < 2**15:
            return first, own
    volts = (counts - np.array([c.offset for c in channels])[:, None]) * np.array(gains)[:, None]
    unit = max(1, int(np.ceil(np.abs(volts).max(initial=1.0) / 32767)))
    if unit > _LARGEST_UNIT_NV:
        raise NotExportable("the ECG is larger than SCP-ECG can hold")
    return unit, np.rint(volts / unit)


def _numbers(stretch: Stretch) -> Numbers:
    """Medians over the stretch, by (name, lead)."""
    found: dict[Series, Median] = {}
    for _, given in minutes(stretch, max(stretch.t1_ns - stretch.t0_ns, 1)):
        found |= given
    return {(s.name, s.lead): m.value for s, m in found.items() if m.value is not None}


def _whole(found: Numbers, name: str, lead: str = "", scale: float = 1.0, absent: int = NOT_MEASURED) -> int:
    value = found.get((name, lead))
    return absent if value is None else round(value * scale)


def _measured(found: Numbers) -> bytes:
    """Section 7. Without a reference beat its times count from the onset of P: only their differences mean something."""
    pr, qrs, qt = (_whole(found, name) for name in ("pr_interval", "qrs_duration", "qt_interval"))
    onset = 0 if pr == NOT_MEASURED else pr

    def after(length: int) -> int:
        return NOT_MEASURED if length == NOT_MEASURED else onset + length

    marks = (
        NOT_MEASURED if pr == NOT_MEASURED else 0,
        NOT_MEASURED,
        onset if qrs != NOT_MEASURED or qt != NOT_MEASURED else NOT_MEASURED,
        after(qrs),
        after(qt),
    )
    axes = [_whole(found, f"{wave}_axis", absent=NO_AXIS) for wave in ("p", "qrs", "t")]
    head = struct.pack("<BBHH", 1, 0, _whole(found, "rr_interval"), NOT_MEASURED)
    beat = struct.pack("<5H3h", *marks, *axes)
    rate, qtc = _whole(found, "heart_rate"), _whole(found, "qtc_bazett")
    formula = 1 if qtc != NOT_MEASURED else 0  # 1 = Bazett
    return head + beat + struct.pack("<HHHHBH", 0, rate, NOT_MEASURED, qtc, formula, 0)


def _per_lead(channels: list[Channel], found: Numbers) -> bytes:
    """Section 10: Q, R, S, J and T in microvolts; what was not measured is 29999."""
    microvolts = {
        9: "q_amplitude",
        10: "r_amplitude",
        11: "s_amplitude",
        14: "st_j",
        15: "p_amplitude",
        17: "t_amplitude",
    }
    out = struct.pack("<HH", len(channels), 0)
    for channel in channels:
        values = [NOT_MEASURED] * 20
        for place, name in microvolts.items():
            values[place] = _whole(found, name, channel.name, 1000.0)
        values = [v if -32768 <= v <= 32767 else NOT_MEASURED for v in values]
        out += struct.pack("<HH20h", LEAD_IDS.get(channel.name, 0), 40, *values)
    return out


def _statements(stretch: Stretch) -> list[str]:
    """What was said last of the recording, in words; nobody has confirmed it."""
    events = stretch.events(["conclusions"])
    body = events[-1].body if events else {}
    given = body.get("statements")
    keys = [str(one.get("key")) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [*(say(f"statement.{key}") for key in keys), say("exchange.unconfirmed")]


def _text(stretch: Stretch, told: list[str], section: int) -> bytes:
    """Sections 8 (text) and 11 (full-text statements): original, not overread."""
    moment: datetime = stretch.at(stretch.t1_ns)
    when = struct.pack(
        "<HBBBBB", moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    )
    lines = [([MARK] if stretch.demo else []), told]
    rows: list[str] = [text for part in lines for text in part][:255]
    body = b"\0" + when + bytes([len(rows)])
    wrap: Callable[[str], bytes] = _string if section == 8 else lambda text: b"\2" + _string(text)
    for number, text in enumerate(rows, 1):
        coded = wrap(text)
        body += struct.pack("<BH", number, len(coded)) + coded
    return body


def _string(text: str) -> bytes:
    return latin_of(text.replace("\0", ""))[:63] + b"\0"
