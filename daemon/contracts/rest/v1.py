"""REST requests and replies, version 1: the seeds' plan, and our extensions marked as such.

Requests are read tolerantly here as everywhere: a client of the plan that knows nothing of us is understood.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from daemon.contracts.box.v1 import SessionId
from daemon.contracts.ecg.v1 import Severity
from daemon.contracts.envelope import Envelope
from daemon.contracts.fields import Body, Grade, Number, Positive, Span, Words

Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$",
        json_schema_extra={"format": "date-time"},
        description="RFC 3339; we send UTC with milliseconds",
    ),
]
Serial = Annotated[str, Field(min_length=1, max_length=100)]
Rate = Annotated[float, Span(1, 100_000)]
Beside = Annotated[
    list[Envelope] | None,
    Field(description="Extension: the canonical envelopes of what the request holds"),
]


class Register(Body):
    """A new account. For a box: its name, its serial number, a secret of its own."""

    full_name: str = Field(min_length=1, max_length=255)
    age: int | None = Field(None, ge=0, le=150)
    gender: str | None = None
    phone: str | None = None
    address: str | None = None
    password: str = Field(min_length=1)
    device_serial: Serial


class Registered(Body):
    user_id: str
    token: str
    expires_in: int | None = Field(None, description="Extension: seconds the token lives")


class Login(Body):
    """`identifier` is a device's serial number, or a full name where only one account has it."""

    identifier: str = Field(min_length=1)
    password: str = Field(min_length=1)


class LoggedIn(Body):
    user_id: str
    token: str
    expires_in: int | None = Field(None, description="Extension: seconds the token lives")
    user_profile: dict[str, Any] = Field(default_factory=dict)


class Refreshed(Body):
    """Extension."""

    token: str
    expires_in: int


class Info(Body):
    os: str = ""
    app_version: str = ""
    sampling_rate: Rate | None = None


class Start(Body):
    """`session_id` is an extension: the client's own id, so that a session can begin without a network."""

    device_serial: Serial
    device_info: Info
    session_id: SessionId | None = None
    vitald: Beside = None


class Started(Body):
    """The id to use in paths from now on; the client's own where it gave one and it is free."""

    session_id: str


class PlanSummary(Body):
    duration_seconds: Positive | None = None
    total_heartbeats: int | None = Field(None, ge=0)
    average_heart_rate: Positive | None = None
    arrhythmias_detected: list[str] | None = None
    signal_quality: Grade | None = None


class End(Body):
    summary: PlanSummary
    vitald: Beside = None


class PlanMetrics(Body):
    """Null or absent: not measured."""

    heart_rate: Positive | None = None
    pr_interval: Positive | None = None
    qrs_duration: Positive | None = None
    qrs_axis: Number | None = None
    st_segment: Number | None = None
    qt_interval: Positive | None = None
    qtc_interval: Positive | None = None
    hrv: Positive | None = None
    rr_interval: Positive | None = None
    sampling_rate: Rate | None = None


class MetricsUpload(Body):
    timestamp: Moment
    metrics: PlanMetrics
    vitald: Beside = None


class WaveformUpload(Body):
    """`leads` in mV, all of one length; or (extension) `coded`: canonical waveform envelopes, samples bit for bit.

    Beside `leads`, `vitald` holds the envelopes without `codec` and `data`: the channels' gains give the counts back.
    """

    timestamp: Moment
    sampling_rate: Rate
    leads: dict[str, list[Number]] | None = None
    coded: list[Envelope] | None = None
    vitald: Beside = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.leads is None) == (self.coded is None):
            raise PydanticCustomError("form", "Input should have either leads or coded")
        if self.leads is not None and len({len(values) for values in self.leads.values()}) != 1:
            raise PydanticCustomError("length", "leads should be arrays of one length")
        return self


class _Told(Body):
    type: str
    timestamp: Moment
    device_serial: str
    user_id: str = ""
    session_id: str = ""


class PlanArrhythmia(Body):
    type: str
    severity: Severity
    description: str = ""
    heart_rate_at_event: Positive | None = None
    lead: str = ""
    waveform_snippet: list[Number] | None = None


class EventUpload(_Told):
    """Extension. `arrhythmia_detected` of the plan, or alarm, event, fact, records_dropped in its style."""

    model_config = ConfigDict(extra="allow")

    arrhythmia: PlanArrhythmia | None = None
    vitald: Beside = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.type == "arrhythmia_detected" and self.arrhythmia is None:
            raise PydanticCustomError("content", "arrhythmia is missing")
        return self


class PlanError(Body):
    error_type: str
    error_message: str
    stack_trace: str = ""
    system_info: dict[str, Any] = Field(default_factory=dict)


class ErrorUpload(_Told):
    """Extension: `error_report` of the plan."""

    error: PlanError
    vitald: Beside = None


class PlanReport(Body):
    filename: str = Field(min_length=1)
    file_size_bytes: int | None = Field(None, ge=0)
    patient_name: str | None = None
    patient_age: int | None = None
    metrics: PlanMetrics = PlanMetrics()
    conclusion: str = ""


class ReportMetadata(_Told):
    """The part `metadata` of a report's upload: `report_generated` without the URL, which is the server's to say."""

    report: PlanReport
    vitald: Beside = None


class DeviceMetrics(Body):
    """Extension: the roadmap's payloads over HTTPS (CPAP, oxygen, ours for the oximeter), or ECG metrics outside a session."""

    model_config = ConfigDict(extra="allow")

    serial: Serial | None = None
    timestamp: Moment
    metrics: dict[str, Any]
    vitald: Beside = None


class Done(Body):
    status: Literal["success"] = "success"


class MetricsDone(Done):
    metrics_id: str


class WaveformDone(Done):
    waveform_id: str


class EventDone(Done):
    event_id: str


class Uploaded(Done):
    report_id: str
    url: str


class RecordsDone(Done):
    """Extension. Of the envelopes sent, `accepted` were new and `known` were there before."""

    accepted: int
    known: int


class SessionSeen(Body):
    session_id: str
    start_time: Moment | None
    end_time: Moment | None
    duration_seconds: float | None
    average_heart_rate: float | None


class Sessions(Body):
    sessions: list[SessionSeen]


class SessionData(Body):
    session_id: str
    metrics_timeline: list[dict[str, Any]]
    waveform_segments: list[dict[str, Any]]
    reports: list[dict[str, Any]]


class ConfigWish(Body):
    """Extension: what an operator desires of a device, in the roadmap's names or ours."""

    config: dict[str, Any] = Field(min_length=1)


class DeviceConfig(Body):
    """Extension: what is desired of a device, in the roadmap's names, and what the device has said of it."""

    serial: str
    version: int = Field(ge=0)
    config: dict[str, Any]
    reported: dict[str, Any] | None = None


class FirmwareReport(Body):
    """Extension: what has become of new firmware for a device (box.firmware/1)."""

    job: str
    version: str
    state: Annotated[
        str,
        Words(
            (
                "queued",
                "offered",
                "accepted",
                "sending",
                "done",
                "failed",
                "rolled_back",
                "refused",
                "withdrawn",
            ),
            grows=True,
        ),
    ]
    percent: int = Field(0, ge=0, le=100, description="How much of it the device has")
    reason: str = ""


class ConfigReport(Body):
    """Extension: settings as they are after the wish with `version` and `hash`; what waits, and what was refused, with the reason.

    `hash` is the SHA-256 of the wish as the box read it, in our names (daemon/contracts/seeds/settings.py: digest).
    """

    version: int = Field(ge=0)
    hash: str = ""
    config: dict[str, Any] = Field(default_factory=dict, description="In the roadmap's names")
    pending: dict[str, str] = Field(default_factory=dict, description="setting -> what it waits for")
    refused: dict[str, str] = Field(default_factory=dict, description="setting -> reason")
    firmware: FirmwareReport | None = None

    def as_reported(self) -> dict[str, Any]:
        """The state that a shadow reports: the settings, and beside them what became of the wish."""
        return {**self.config, "vitald": self.model_dump(exclude={"config"})}


class RegistryDevice(Body):
    serial: str
    backend: str


class RegistryPrefix(Body):
    prefix: str
    backend: str


class Registry(Body):
    """Extension: the orchestrator's registry, which backend a serial number belongs to; a prefix is a hint for the unknown."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: str = Field(alias="schema", pattern=r"^vitald\.registry/1$")
    devices: list[RegistryDevice] = Field(default_factory=list)
    prefixes: list[RegistryPrefix] = Field(default_factory=list)


class RegistryEntry(Body):
    """Extension: a device as the orchestrator keeps it."""

    serial: Serial
    kind: Literal["ecg", "cpap", "oxygen", "oximeter", "box"]
    backend: str = Field(min_length=1)
    url: str = ""


class Fault(Body):
    """Every refusal. `field` is the path to what is wrong; `key` our Idempotency-Key where the reply is about it."""

    status: Literal["error"] = "error"
    error: str
    field: str | None = None
    key: str | None = None
