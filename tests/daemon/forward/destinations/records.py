"""Records as the forwarder hands them to a destination: bodies that keep their contracts, samples from a seed."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import numpy as np

from daemon.contracts.registry import said
from daemon.forward.destinations.place import Place
from daemon.forward.record import Record, Samples
from daemon.model.outgoing import Lane
from daemon.model.signals import Channel, Quantity
from daemon.store.codec import CODEC, checksum, encode

BOX = "BOX-0001-0042"
ECG = "ECG-12345"
SESSION = "session_20250108_123456"
MEASURED_NS = 1_736_339_696_789_000_000  # 2025-01-08T12:34:56.789Z
PATIENT = "Erika Mustermann"

_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def place(folder: Path, name: str = "cloud", **more) -> Place:
    for sub in ("credentials", "reports"):
        (folder / sub).mkdir(exist_ok=True)
    return Place(name, BOX, folder / "credentials", folder / "state", folder / "reports", **more)


def key(number: int, ms: int = 1_736_339_700_000) -> str:
    """A UUIDv7 of a given time, different for every number."""
    noise = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:10], "big")
    value = (
        (ms << 80) | (0x7 << 76) | ((noise >> 66 & 0xFFF) << 64) | (0b10 << 62) | (noise & ((1 << 62) - 1))
    )
    return str(uuid.UUID(int=value))


def record(seq, lane, message, body, *, device=ECG, session=SESSION, t=0.0, samples=None) -> Record:
    """`t` is seconds after the first second."""
    after = round(t * 1e9)
    return Record(
        seq=seq,
        key=str(uuid.uuid5(uuid.UUID(int=7), str(seq))),
        lane=lane,
        message=message,
        device=device,
        session=session,
        boot="b",
        t_ns=1_000_000_000 + after,
        utc_ns=MEASURED_NS + after,
        synced=True,
        body=body,
        samples=samples,
    )


def metrics(seq: int, **more) -> Record:
    body = said(
        "ecg.metrics/1",
        {
            "heart_rate_bpm": 60 + seq % 40,
            "rr_ms": 800,
            "pr_ms": 160,
            "qrs_ms": 85,
            "qt_ms": 380,
            "qtc_ms": 400,
            "qrs_axis_deg": 45,
            "signal_quality": "good",
            "is_recording": True,
            "demo_mode": False,
            "sampling_rate_hz": 500,
        },
    )
    return record(seq, Lane.METRICS, "ecg.metrics/1", body, t=seq, **more)


def oxygen(seq: int) -> Record:
    body = said("oxygen.metrics/1", {"oxygen_purity_pct": 94.6, "flow_rate_lpm": 2.5, "status": "online"})
    return record(seq, Lane.METRICS, "oxygen.metrics/1", body, device="OXY-8844-5521", session="", t=seq)


def waveform(
    seq: int, seconds: float = 1.0, *, first: int | None = None, segment="seg-1", noisy=False, **more
) -> Record:
    """A chunk of eight leads at 500 Hz; `noisy`: samples that no coding makes smaller."""
    n = round(500 * seconds)
    random = np.random.default_rng(seq)
    if noisy:
        counts = random.integers(-(2**30), 2**30, (8, n), dtype=np.int32)
    else:
        counts = np.cumsum(random.integers(-8, 9, (8, n)), axis=1, dtype=np.int32)
    channels = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in _LEADS)
    samples = Samples(
        segment=segment,
        stream="ecg",
        first=(seq - 1) * n if first is None else first,
        rate_hz=500.0,
        period_ns=2_000_000.0,
        channels=channels,
        counts=counts,
        codec=CODEC,
        crc32=checksum(counts),
        coded=encode(counts),
    )
    return record(seq, Lane.WAVEFORM, "ecg.waveform/1", {}, t=seq * seconds, samples=samples, **more)


def session_start(seq: int, session: str = SESSION) -> Record:
    body = said(
        "box.session_start/1",
        {
            "session_id": session,
            "session_uuid": str(uuid.uuid5(uuid.UUID(int=8), session)),
            "bed": "1",
            "patient": {"patient_id": "p-17", "full_name": PATIENT, "age": 45},
            "device_info": {"os": "linux", "app_version": "1.0.0", "sampling_rate_hz": 500},
            "automatic": False,
        },
    )
    return record(seq, Lane.EVENTS, "box.session_start/1", body, session=session)


def session_end(seq: int, session: str = SESSION) -> Record:
    body = said(
        "box.session_end/1",
        {
            "session_id": session,
            "session_uuid": str(uuid.uuid5(uuid.UUID(int=8), session)),
            "ended_by": "person",
            "summary": {"duration_seconds": 1800, "total_heartbeats": 2250, "average_heart_rate_bpm": 75},
        },
    )
    return record(seq, Lane.EVENTS, "box.session_end/1", body, session=session)


def alarm(seq: int) -> Record:
    body = said(
        "box.alarm/1",
        {
            "alarm": "hr_high",
            "occurrence": "o1",
            "change": "onset",
            "priority": "high",
            "text": "HR 160 > 120",
        },
    )
    return record(seq, Lane.ALARMS, "box.alarm/1", body, session="")


def report(seq: int, where: Place, size: int = 30_000) -> tuple[Record, bytes]:
    """A report and the file that it tells of, which is made."""
    data = b"%PDF-1.7\n" + np.random.default_rng(seq).bytes(size)
    name = f"ECG_Report_{seq}.pdf"
    (where.reports / name).write_bytes(data)
    body = said(
        "box.report/1",
        {
            "report_id": key(seq),
            "filename": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_bytes": len(data),
            "kind": "ecg",
        },
    )
    return record(seq, Lane.REPORTS, "box.report/1", body), data
