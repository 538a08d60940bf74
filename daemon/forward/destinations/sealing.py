"""From records to the bytes of a request: what every destination does alike. Pure: the same records, the same bytes."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from daemon.contracts.consent import pseudonymous
from daemon.contracts.envelope import Envelope, line, wrap
from daemon.contracts.times import uuid7_instant
from daemon.forward.destinations import Bounds
from daemon.forward.record import Record

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"

_ENVELOPE_BYTES: Final = 400
"""What an envelope adds to its body, generously."""


def envelope(key: str, record: Record, *, named: bool) -> Envelope:
    """The record as it travels in the request `key`; not `named`: with nothing of the patient but an id."""
    made = wrap(
        record.message,
        record.body if record.samples is None else waveform(record),
        key=record.key,
        seq=record.seq,
        device=record.device,
        session=record.session,
        utc_ns=record.utc_ns,
        synced=record.synced,
        sent_at=uuid7_instant(key),
    )
    return made if named else pseudonymous(made)


def waveform(record: Record) -> dict[str, Any]:
    """The body of a waveform message: the stored coding as it is, in base64."""
    samples = record.samples
    assert samples is not None
    return {
        "segment": samples.segment,
        "stream": samples.stream,
        "first": samples.first,
        "n": int(samples.counts.shape[1]),
        "rate_hz": samples.rate_hz,
        "period_ns": samples.period_ns,
        "channels": [
            {"name": c.name, "unit": c.unit, "gain": c.gain, "offset": c.offset} for c in samples.channels
        ],
        "codec": samples.codec,
        "crc32": samples.crc32,
        "data": b64encode(samples.coded).decode("ascii"),
    }


def lines(key: str, records: Sequence[Record], *, named: bool) -> bytes:
    """NDJSON of the records' envelopes, gzip with no time in its header."""
    return packed(b"".join(line(envelope(key, record, named=named)) for record in records))


def packed(data: bytes) -> bytes:
    """gzip, the same on every day."""
    return gzip.compress(data, 6, mtime=0)


def weight(record: Record) -> int:
    """About how many bytes a record's line has before compression; hardly ever less."""
    if record.samples is not None:
        return _ENVELOPE_BYTES + 400 + 128 * len(record.samples.channels) + len(record.samples.coded) * 4 // 3
    return _ENVELOPE_BYTES + len(json.dumps(record.body, ensure_ascii=False).encode())


def fitting(records: Sequence[Record], bounds: Bounds) -> int:
    """How many of the records, from the first on, keep within the bounds. At least 1."""
    total = 0
    for number, record in enumerate(records[: bounds.records]):
        total += weight(record)
        if total > bounds.bytes:
            return max(1, number)
    return max(1, min(len(records), bounds.records))
