"""Messages of the box itself, version 1: sessions, alarms, events, facts, losses, errors, reports."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from daemon.contracts.ecg.v1 import Where
from daemon.contracts.fields import Body, Grade, Instant, Number, Positive, Words

SESSION_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SessionId = Annotated[str, Field(pattern=SESSION_ID, max_length=100)]
"""session_20250108_123456; it stands in paths and file names."""

CHANGES = (
    "onset",
    "end",
    "escalated",
    "acknowledged",
    "latched",
    "near_miss",
    "reminded",
    "covered",
    "audio_paused",
    "alarm_paused",
    "pause_ended",
    "limits_set",
    "reset",
    "resumed",
    "tested",
    "admitted",
    "discharged",
    "refused",
)
"""What can happen to an alarm: ChangeKind of daemon/model/alarms.py, with `began` as onset and `ended` as end."""


class Patient(Body):
    """Who lies in the bed. All but `patient_id` names a person: sent only where that is agreed (consent.py)."""

    patient_id: str
    full_name: str | None = None
    age: int | None = Field(None, ge=0, le=150)
    gender: str | None = None
    phone: str | None = None
    address: str | None = None
    registration_date: str | None = Field(None, pattern=r"^\d{4}-\d\d-\d\d$")


class DeviceInfo(Body):
    """What records. `app_version` is that of vitald, without a "v"."""

    os: str
    app_version: str
    sampling_rate_hz: Positive | None = None


class SessionStart(Body):
    """A recording session begins. `automatic`: no person started it."""

    session_id: SessionId
    session_uuid: str
    bed: str
    patient: Patient | None = None
    device_info: DeviceInfo
    automatic: bool


class Summary(Body):
    """What a session held. `arrhythmias_detected` null: not analysed."""

    duration_seconds: Positive
    total_heartbeats: int | None = Field(None, ge=0)
    average_heart_rate_bpm: Positive | None = None
    min_heart_rate_bpm: Positive | None = None
    max_heart_rate_bpm: Positive | None = None
    arrhythmias_detected: list[str] | None = None
    signal_quality: Grade | None = None


class SessionEnd(Body):
    """A recording session is over."""

    session_id: SessionId
    session_uuid: str
    ended_by: Annotated[str, Words(("person", "discharge", "stop", "crash"))]
    summary: Summary


class Alarm(Body):
    """Something happened to an alarm. `alarm` is its row's name, `occurrence` the one interval that onset and end share."""

    alarm: str
    occurrence: str
    change: Annotated[str, Words(CHANGES, grows=True)]
    priority: Annotated[str, Words(("low", "medium", "high"))] | None = None
    text: str
    value: Number | None = None
    limit: Number | None = None
    unit: str | None = None
    onset_at: Instant | None = None
    actor: str = ""
    bed: str = ""


class NumberOf(Body):
    """A number that a rule went by."""

    name: str
    value: Number
    unit: str


class Event(Body):
    """Something worth a person's look. `name` and `detail` are words of the product's own list (daemon/words)."""

    name: str
    numbers: list[NumberOf] = Field(default_factory=list)
    detail: str = ""
    evidence: Where | None = None


class Fact(Body):
    """A state of the box or of one of its links."""

    source: str
    state: Annotated[str, Words(("ok", "failed"), grows=True)]
    since: Instant
    detail: str = ""


class Dropped(Body):
    """Data that was given up, never silently: what kind, of which device, from when to when, how much and why."""

    kind: str
    device: str
    from_at: Instant
    to_at: Instant
    records: int = Field(ge=0)
    bytes: int = Field(ge=0)
    reason: str


class Error(Body):
    """An error of the software or of a line."""

    error_type: str
    error_message: str
    stack_trace: str = ""
    system_info: dict[str, Any] = Field(default_factory=dict)


class Report(Body):
    """A report was made; the file goes beside it. `metrics` and `summary` are those printed on it, units in the names."""

    report_id: str
    filename: str = Field(pattern=r"^[^/\\]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)
    kind: str
    summary: dict[str, Any] = Field(default_factory=dict)
    conclusion: str = ""
    metrics: dict[str, Number | None] = Field(default_factory=dict)
    patient: Patient | None = None


class Ownership(Body):
    """Whose a device is now (null: nobody's) and what has changed; `claimed_by`: who claims it and is not confirmed yet."""

    change: Annotated[str, Words(("claim", "confirm", "transfer", "release", "withdraw"), grows=True)]
    owner: str | None = None
    proof: Annotated[str, Words(("device", "person"), grows=True)] | None = None
    claimed_by: str | None = None


class Receipt(Body):
    """What a receiver has durably: it comes to the box. Keys are those of envelopes or requests."""

    keys: list[str]
    refused: dict[str, str] = Field(default_factory=dict, description="key -> why it will never be taken")


class Firmware(Body):
    """New firmware that a device should run: `firmware` beside the wished settings of it (a config document, a shadow's state).

    A technician decides; the box fetches the file, and sends nothing whose size or SHA-256 differ. `job` is the sender's own name for
    it; the same again is not done again.
    """

    job: str = Field(min_length=1, max_length=100)
    version: str = Field(pattern=r"^[!-~]{1,16}$", description="As the device will say it")
    url: str = Field(
        pattern=r"^https?://[!-~]{1,2000}$", description="Where the file is; range requests resume it"
    )
    size: int = Field(ge=1, le=8 << 20, description="Bytes")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
