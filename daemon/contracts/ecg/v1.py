"""ECG messages, version 1. A number that was not measured is null or absent, never 0."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daemon.contracts.fields import Body, Grade, Number, Positive, Words

ARRHYTHMIAS = (
    "PVC",  # premature ventricular contraction
    "PAC",  # premature atrial (supraventricular) contraction
    "COUPLET",
    "BIGEMINY",
    "TRIGEMINY",
    "RUN",  # short run of ventricular beats
    "VT",
    "VF",
    "IVR",
    "SVT",
    "AFIB",
    "AFLUTTER",
    "ASYSTOLE",
    "PAUSE",
    "BRADY",
    "TACHY",
    "EXTREME_BRADY",
    "EXTREME_TACHY",
    "AVB1",
    "AVB2",
    "AVB3",
    "IRREGULAR",
    "ST",
    "PACE",  # a pacemaker's trouble
    "OTHER",
)

Code = Annotated[str, Words(ARRHYTHMIAS, grows=True)]
Severity = Annotated[str, Words(("mild", "moderate", "severe"))]


class Metrics(Body):
    """What was measured from the ECG over the last second or two. `st_uv` is by lead, `st_offset_ms` after the J point.

    `arrhythmias` empty = none found; null = not analysed.
    """

    heart_rate_bpm: Positive | None = None
    rr_ms: Positive | None = None
    pr_ms: Positive | None = None
    qrs_ms: Positive | None = None
    qt_ms: Positive | None = None
    qtc_ms: Positive | None = None
    qtc_method: Annotated[str, Words(("bazett", "fridericia", "framingham", "hodges"))] = "bazett"
    qrs_axis_deg: Number | None = None
    p_axis_deg: Number | None = None
    t_axis_deg: Number | None = None
    st_uv: dict[str, Number] = Field(default_factory=dict)
    st_offset_ms: Number = 0
    hrv_sdnn_ms: Positive | None = None
    hrv_rmssd_ms: Positive | None = None
    respiration_rate_per_min: Positive | None = None
    rhythm: str | None = Field(None, description="WFDB's label: N, AFIB, AFL, VT, SVTA, B, T, ...")
    arrhythmias: list[Code] | None = None
    signal_quality: Grade
    leads_quality: dict[str, Grade] = Field(default_factory=dict)
    is_recording: bool
    demo_mode: bool
    sampling_rate_hz: Positive


class ChannelOf(Body):
    """One channel: physical = (count - offset) * gain, in `unit`."""

    name: str
    unit: str
    gain: Number
    offset: Number = 0


class Waveform(Body):
    """Samples `first` .. `first + n - 1` of a segment, as they came from the device.

    `data` is base64 of the counts in coding `codec`; coding 1 is told in docs/contracts/README.md. `crc32` is that of the counts as
    little-endian int32, channel by channel. `period_ns` is the sample period by the box's clock, `rate_hz` the nominal rate.
    """

    segment: str
    stream: str
    first: int = Field(ge=0)
    n: int = Field(ge=1)
    rate_hz: Positive
    period_ns: Positive
    channels: list[ChannelOf] = Field(min_length=1)
    codec: int
    crc32: int = Field(ge=0, le=2**32 - 1)
    data: str = Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", description="base64")


class Where(Body):
    """The samples that say so: `first` .. `last` (inclusive) of a segment, and the rule that read them."""

    segment: str
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    rule: str


class Arrhythmia(Body):
    """A finding of the rhythm, when it is made. `evidence` null: none was kept."""

    type: Code
    severity: Severity
    description: str
    heart_rate_bpm: Positive | None = None
    lead: str
    evidence: Where | None = None
