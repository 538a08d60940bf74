"""Envelopes for tests: the golden samples, with keys, devices and samples of one's own."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path

import numpy as np

from daemon.contracts.envelope import Envelope, read
from daemon.contracts.seeds import Chunk
from daemon.store import codec

GOLDEN = Path(__file__).parents[1] / "daemon" / "contracts" / "golden"
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
UP = (
    "ecg.metrics/1",
    "ecg.waveform/1",
    "ecg.arrhythmia/1",
    "cpap.metrics/1",
    "oxygen.metrics/1",
    "oximeter.metrics/1",
    "box.session_start/1",
    "box.session_end/1",
    "box.alarm/1",
    "box.event/1",
    "box.fact/1",
    "box.dropped/1",
    "box.error/1",
    "box.report/1",
)


def golden(message: str, **changes: object) -> Envelope:
    """The sample of a message under a key of its own; `changes` of the envelope's fields."""
    text = (GOLDEN / f"{message.replace('/', '-')}.0.json").read_text(encoding="utf-8")
    value = {**json.loads(text), "key": str(uuid.uuid4()), **changes}
    if message == "box.report/1":
        value["body"]["report_id"] = str(uuid.uuid4())
    return read(json.dumps(value))


def noise(n: int, seed: int = 1, channels: int = 8) -> codec.Counts:
    steps = np.random.default_rng(seed).integers(-40, 41, (channels, n))
    return np.cumsum(steps, axis=1).astype(np.int32)


def chunks(
    counts: codec.Counts,
    *,
    names: tuple[str, ...] = EIGHT,
    gain: float = 0.00286,
    each: int = 500,
    **changes: object,
) -> list[Chunk]:
    """Contiguous chunks of `each` samples, coded by the box's own coder."""
    segment, made = str(uuid.uuid4()), []
    for number, first in enumerate(range(0, counts.shape[1], each)):
        piece = np.ascontiguousarray(counts[:, first : first + each])
        body = {
            "segment": segment,
            "stream": "ecg",
            "first": first,
            "n": piece.shape[1],
            "rate_hz": 500,
            "period_ns": 2e6,
            "channels": [{"name": name, "unit": "mV", "gain": gain, "offset": 0} for name in names],
            "codec": codec.CODEC,
            "crc32": codec.checksum(piece),
            "data": base64.b64encode(codec.encode(piece)).decode(),
        }
        made.append(Chunk(golden("ecg.waveform/1", body=body, seq=number + 1, **changes), piece))
    return made
