"""Arrhythmias by the codes that people and clouds are told: from what analysis says of beats, rhythms and events.

`severity` is how it is told, in the words of the seeds (mild, moderate, severe); alarms have priorities of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.findings import BeatClass


@dataclass(frozen=True, slots=True)
class Arrhythmia:
    """A kind of arrhythmia."""

    code: str
    severity: str


def _by_code(*kinds: Arrhythmia) -> dict[str, Arrhythmia]:
    return {kind.code: kind for kind in kinds}


ARRHYTHMIAS = _by_code(
    Arrhythmia("PVC", "mild"),
    Arrhythmia("PAC", "mild"),
    Arrhythmia("COUPLET", "moderate"),
    Arrhythmia("BIGEMINY", "moderate"),
    Arrhythmia("TRIGEMINY", "moderate"),
    Arrhythmia("RUN", "moderate"),
    Arrhythmia("VT", "severe"),
    Arrhythmia("VF", "severe"),
    Arrhythmia("IVR", "moderate"),
    Arrhythmia("SVT", "moderate"),
    Arrhythmia("AFIB", "moderate"),
    Arrhythmia("AFLUTTER", "moderate"),
    Arrhythmia("BRADY", "mild"),
    Arrhythmia("TACHY", "mild"),
    Arrhythmia("PAUSE", "moderate"),
    Arrhythmia("ASYSTOLE", "severe"),
    Arrhythmia("AVB1", "mild"),
    Arrhythmia("AVB2", "moderate"),
    Arrhythmia("AVB3", "severe"),
)

BY_BEAT = {BeatClass.VENTRICULAR: "PVC", BeatClass.SUPRAVENTRICULAR: "PAC"}
"""Of a single beat's class."""

BY_RHYTHM = {
    "SBR": "BRADY",
    "STACH": "TACHY",
    "SVTA": "SVT",
    "AFIB": "AFIB",
    "AFL": "AFLUTTER",
    "B": "BIGEMINY",
    "T": "TRIGEMINY",
    "IVR": "IVR",
    "VT": "VT",
    "VFL": "VF",
    "VF": "VF",
    "ASYS": "ASYSTOLE",
    "PAUSE": "PAUSE",
    "BI": "AVB1",
    "BII": "AVB2",
    "BIII": "AVB3",
}
"""Of a rhythm's label (WFDB's); a label that is not here is no arrhythmia."""

BY_EVENT = {
    "pause": "PAUSE",
    "couplet": "COUPLET",
    "ventricular_run": "RUN",
    "av_block_2": "AVB2",
    "av_block_3": "AVB3",
}
"""Of an event's name; a name that is not here is no arrhythmia."""
