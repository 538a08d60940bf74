"""A session as the seeds record it: one JSON object a line, the messages of the REST plan in the order in which they were said.

Lines are session_start, metrics_update (every second), ecg_waveform (5 s of all twelve leads, in mV), arrhythmia_detected,
alarm, event, fact, records_dropped and session_end, as daemon/contracts/seeds/plan.py makes them. What retention gave up is
not here, and a records_dropped line says so; waveforms of other devices than an ECG are not part of the form.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from daemon.contracts.ecg.v1 import Waveform
from daemon.contracts.envelope import Envelope, compact, wrap
from daemon.contracts.seeds import Chunk, Sender, body_of, plan, waves
from daemon.contracts.times import instant
from daemon.exchange.deidentify import NAMING, Told
from daemon.store import codec
from daemon.store.outbox import OutboxRow, StoredChunk, identity, key_of, of_session, samples
from daemon.store.reader import Reader, ask
from daemon.store.recorded import RecordedSession

PAGE = 500
WAVEFORM_S = 5.0


def write_jsonl(
    database: Path,
    session: RecordedSession,
    out: BinaryIO,
    *,
    box_serial: str = "",
    told: Told | None = None,
    named: bool = True,
) -> int:
    """Write the session, de-identified by `told` where it is given; the number of lines. Raises sqlite3.Error, OSError.

    `named` False: without what names a person.
    """
    user = str((session.patient or {}).get("patient_id") or "")
    sender = Sender(user, box_serial)
    lines = 0
    for line in _messages(database, session, sender):
        shown = told.value(line) if told is not None else line if named else _unnamed(line)
        out.write(compact(shown) + b"\n")
        lines += 1
    return lines


def _messages(database: Path, session: RecordedSession, sender: Sender) -> Iterator[dict[str, Any]]:
    """Waveforms come out as soon as 5 s of them are together, or they go on elsewhere."""
    gathered: list[Chunk] = []
    after, seconds = 0, 0.0
    while True:
        page, chunks = ask(database, lambda r, after=after: _page(r, session.name, after))  # type: ignore[misc]
        for envelope, stored in zip(page, chunks, strict=True):
            if stored is None:
                if envelope.kind != "waveform":
                    yield _told(envelope, sender)
                continue
            chunk = Chunk(
                envelope,
                codec.decode(stored.coded, len(stored.channels), stored.n, stored.crc32, stored.codec),
            )
            if not waves.is_ecg(body_of(envelope, Waveform)):
                continue
            if gathered and not _goes_on(gathered[-1], chunk):
                yield plan.waveform(gathered, sender)
                gathered, seconds = [], 0.0
            gathered.append(chunk)
            seconds += stored.n / stored.rate_hz
            if seconds >= WAVEFORM_S:
                yield plan.waveform(gathered, sender)
                gathered, seconds = [], 0.0
        if not page:
            break
        after = page[-1].seq
    if gathered:
        yield plan.waveform(gathered, sender)


def _unnamed(value: Any, key: str = "") -> Any:
    if key in NAMING:
        return None
    if isinstance(value, dict):
        return {name: _unnamed(one, name) for name, one in value.items()}
    return [_unnamed(one) for one in value] if isinstance(value, list) else value


def _told(envelope: Envelope, sender: Sender) -> dict[str, Any]:
    match envelope.message:
        case "ecg.metrics/1":
            return plan.metrics(envelope, sender)
        case "ecg.arrhythmia/1":
            return plan.arrhythmia(envelope, sender)
        case "box.session_start/1":
            return plan.session_start(envelope, sender)
        case "box.session_end/1":
            return plan.session_end(envelope, sender)
        case _:
            return plan.other(envelope, sender)


def _goes_on(before: Chunk, after: Chunk) -> bool:
    return waves.contiguous(body_of(before.envelope, Waveform), body_of(after.envelope, Waveform))


def _page(reader: Reader, session: str, after: int) -> tuple[list[Envelope], list[StoredChunk | None]]:
    rows = of_session(reader, session, after, PAGE)
    chunks = samples(reader, [row.place for row in rows if row.place is not None])
    named = identity(reader)
    found = [chunks.get(row.place) if row.place is not None else None for row in rows]
    made = [_envelope(row, chunk, key_of(named, row.seq)) for row, chunk in zip(rows, found, strict=True)]
    return made, found


def _envelope(row: OutboxRow, chunk: StoredChunk | None, key: str) -> Envelope:
    utc_ns = row.t_ns + row.utc_offset_ns
    body = row.body if chunk is None else _waveform(chunk)
    told = {"device": row.device, "session": row.session, "utc_ns": utc_ns, "synced": row.clock_is_set}
    return wrap(row.message, body or {}, key=key, seq=row.seq, sent_at=instant(utc_ns), **told)  # type: ignore[arg-type]


def _waveform(chunk: StoredChunk) -> dict[str, Any]:
    channels = [{"name": c.name, "unit": c.unit, "gain": c.gain, "offset": c.offset} for c in chunk.channels]
    return {
        "segment": chunk.segment,
        "stream": chunk.stream,
        "first": chunk.first,
        "n": chunk.n,
        "rate_hz": chunk.rate_hz,
        "period_ns": chunk.period_ns,
        "channels": channels,
        "codec": chunk.codec,
        "crc32": chunk.crc32,
        "data": b64encode(chunk.coded).decode("ascii"),
    }
