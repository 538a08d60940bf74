"""The configuration of a box: one TOML file, VITALD_* environment variables over it; an unknown key is an error.

`load` raises `BadConfig`, whose text names the file and the key; commands exit with 78 on it.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.config_hardware import Hardware
from daemon.config_seeds import SeedsEnvironment
from daemon.config_update import Update
from daemon.config_web import Web


class BadConfig(Exception):
    """The configuration cannot be used; the text names the key and what is wrong with it."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(_Table):
    """The box itself."""

    name: str = Field("vitald", description="How people call this box; shown on its pages")
    ward: str = Field("", description="The ward it stands in; shown beside its name")
    serial: str = Field("", pattern=r"^([A-Z0-9]+(-[A-Z0-9]+)+)?$", description="Its own serial number")
    data: Path = Field(Path("/var/lib/vitald"), description="Folder of the databases")
    run: Path = Field(Path("/run/vitald"), description="Folder of the control socket")
    demo: bool = Field(False, description="Marks every page DEMO: the patients are simulators")

    @property
    def socket(self) -> Path:
        return self.run / "control.sock"

    @property
    def database(self) -> Path:
        return self.data / "vitald.db"

    @property
    def people(self) -> Path:
        """The database of who is here and who did what."""
        return self.data / "box.db"


class Store(_Table):
    """How much is kept. What is given up then, and in which order, is told in docs/store.md."""

    waveform_mb: Annotated[int, Field(ge=1, description="Megabytes of samples")] = 20_000
    numbers_mb: Annotated[int, Field(ge=1, description="Megabytes of measured numbers")] = 2_000
    keep_free_mb: Annotated[int, Field(ge=0, description="Megabytes of the disk that stay free")] = 256
    ballast_mb: Annotated[
        int, Field(ge=0, description="Megabytes set aside for alarms on a disk that is full; 0 = none")
    ] = 64


class SignIn(_Table):
    """How long somebody who has signed in stays so."""

    shift_h: float = Field(12.0, gt=0, le=24, description="Hours until a password is needed again")
    idle_min: float = Field(
        15.0, gt=0, le=720, description="Minutes without an act: administrators, technicians"
    )
    bedside_idle_min: float = Field(
        15.0, gt=0, le=720, description="Minutes without an act: anybody at the box's own screen"
    )


class Sound(_Table):
    """The loudspeaker, the lamp and the nurse call."""

    enabled: bool = Field(True, description="Whether the box itself sounds alarms")
    device: str = Field("default", description="ALSA's name of the loudspeaker (`aplay -L` lists them)")
    volume: Annotated[int, Field(ge=0, le=100, description="Loudness; 0 is 40 dB below 100")] = 70
    melodies: bool = Field(False, description="Bursts tell the cause by their notes (IEC 60601-1-8, 2006)")
    socket: Path | None = Field(None, description="Socket of the sound process; empty = beside box.run")
    gpio_chip: Path = Field(Path("/dev/gpiochip0"), description="Chip of the lines below")
    lamp_high: int | None = Field(None, ge=0, description="Line of the red lamp")
    lamp_medium: int | None = Field(None, ge=0, description="Line of the yellow lamp")
    lamp_low: int | None = Field(None, ge=0, description="Line of the cyan lamp")
    nurse_call: int | None = Field(None, ge=0, description="Line of the nurse-call relay; high = all is well")


class Proof(_Table):
    """The proof of the alarm chain: a marked test from a board's bytes to the loudspeaker and every open screen."""

    every_h: Annotated[
        int, Field(ge=0, le=720, description="Hours between two tests; 0 = none by itself")
    ] = 24
    hour: Annotated[
        int, Field(ge=0, le=23, description="Hour of the day (local) of one a day or less often")
    ] = 11


class Device(_Table):
    """A device we expect at a bed."""

    label: str = Field(description="What people call it (ecg, cpap); unique within its bed")
    kind: str = Field("auto", description="Board kind, or auto to listen and recognise")
    port: str = Field(description="Path or glob of the port; /dev/serial/by-id/... is best")
    serial: str = Field("", description="Serial number it must have; empty takes any")
    ask: bool = Field(
        False, description="Whether a silent port may be asked who it is; never beside a therapy device"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="Settings of the board (docs/boards.md)"
    )


class Display(_Table):
    """How a bed's waves are filtered for the screen when the box starts."""

    mode: Literal["diagnostic", "monitor", "st"] = Field("monitor", description="Pass band of the screen")
    mains_hz: Literal[0, 50, 60] = Field(50, description="Mains notch of the screen; 0 = off")
    cleaning: bool = Field(
        False, description="The extra cleaning chain, printed on the screen stage by stage"
    )


class Bed(_Table):
    """A bed and what is attached to it."""

    name: str = Field("", description="What the screen calls the bed; empty takes its key")
    devices: tuple[Device, ...] = Field((), description="Devices expected at the bed")
    display: Display = Display()

    @field_validator("devices")
    @classmethod
    def _labels_differ(cls, devices: tuple[Device, ...]) -> tuple[Device, ...]:
        labels = [d.label for d in devices]
        if len(labels) != len(set(labels)):
            raise ValueError("two devices have the same label")
        return devices


LaneName = Literal["alarms", "events", "metrics", "waveform", "reports"]
LANES: tuple[LaneName, ...] = ("alarms", "events", "metrics", "waveform", "reports")


class Destination(BaseModel):
    """A place that messages go to. All other keys of its table are those of its kind (docs/destinations.md)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(
        description="rest, mqtt, s3, azure, gcs, sftp, ftp, dropbox, folder, webhook, sns or mllp"
    )
    enabled: bool = Field(True, description="Whether anything is sent there")
    start: str = Field(
        "all", description="What a new destination gets: all that is stored, `now`, or from a date on"
    )
    lanes: tuple[LaneName, ...] = Field(LANES, description="Which lanes go there")
    relied_on: bool = Field(False, description="Whether people rely on getting the alarms there")
    routed: bool = Field(False, description="Whether it gets only devices that the registry gives to it")
    backend: str = Field("", description="Its name in the registry; empty takes its own")
    max_bytes_per_s: Annotated[
        float, Field(ge=0, description="Bytes a second it may take; 0 = all there are; alarms always go")
    ] = 0.0
    collect_s: Annotated[
        float, Field(ge=0, le=300, description="How long live waveforms gather before a request")
    ] = 5.0

    @field_validator("start")
    @classmethod
    def _start_is_known(cls, start: str) -> str:
        if start not in {"all", "now"} and datetime.fromisoformat(start).tzinfo is None:
            raise ValueError("a date needs its zone: 2026-01-08T00:00:00Z")
        return start

    @property
    def options(self) -> dict[str, Any]:
        """What is set of its kind's own."""
        return dict(self.model_extra or {})


class Forward(_Table):
    """The way to the clouds."""

    enabled: bool = Field(True, description="Whether anything is sent anywhere")
    destinations: dict[str, Destination] = Field(
        default_factory=dict, description="The places that messages go to, below"
    )
    routes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Serial number, or its beginning and *, to backends: before the registry",
    )
    registry_url: str = Field("", description="Address of the orchestrator's registry; empty = none")
    registry_key_file: str = Field("", description="Credential with its bearer token; empty = none")
    registry_every_s: Annotated[float, Field(ge=10, description="How often the registry is asked for")] = (
        300.0
    )
    credentials: Path = Field(
        Path("/etc/vitald/credentials"), description="Folder of secrets, unless systemd gives one"
    )

    @field_validator("destinations")
    @classmethod
    def _names_are_plain(cls, destinations: dict[str, Destination]) -> dict[str, Destination]:
        for name in destinations:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
                raise ValueError(f"{name!r}: a name is small letters, digits, - and _")
        return destinations


class Reports(_Table):
    """Reports: what is made by itself, on which paper, and when it is uploaded."""

    paper: Literal["A4", "Letter"] = Field("A4", description="Paper that reports are laid out for")
    at_session_end: tuple[Literal["ecg", "session", "night", "oxygen"], ...] = Field(
        ("session",), description="Kinds of reports that are made when a session ends"
    )
    shortest_s: Annotated[
        float, Field(ge=0, description="Sessions that are not longer get no report by themselves")
    ] = 60.0
    upload: Literal["ready", "confirmed", "never"] = Field(
        "ready",
        description="When a report goes to the clouds: as soon as it is made, once confirmed, or never",
    )
    keep_mb: Annotated[int, Field(ge=10, description="Megabytes of report files; the oldest go first")] = (
        2_000
    )


class Mail(_Table):
    """Where reports of errors are mailed to. Nothing is, unless host, sender and recipients are set."""

    host: str = Field("", description="Mail server; empty = no mail")
    port: Annotated[int, Field(ge=1, le=65535, description="Its port")] = 587
    tls: Literal["starttls", "implicit"] = Field(
        "starttls", description="How the connection is encrypted: it always is, and the certificate checked"
    )
    ca_file: Path | None = Field(None, description="Certificates to trust beside the system's; empty = none")
    sender: str = Field("", description="Address that the mail is from")
    recipients: tuple[str, ...] = Field((), description="Addresses that it goes to")
    user: str = Field("", description="Name to log in with; empty = without")
    password_file: str = Field("", description="Credential with the password of that name")
    name_box: bool = Field(False, description="Whether the subject names the box")
    every_s: Annotated[
        float, Field(ge=60, description="Seconds between two mails; one tells of all since")
    ] = 3600.0

    @property
    def is_set(self) -> bool:
        return bool(self.host and self.sender and self.recipients)


class Assistant(_Table):
    """The assistant that explains numbers. Off, unless a kind is set."""

    kind: Literal["off", "gemini", "openai"] = Field(
        "off", description="Whose wire format is spoken; openai is any compatible server"
    )
    url: str = Field("", description="Address of the server; empty = that of Gemini")
    model: str = Field("", description="Name of the model")
    key_file: str = Field("", description="Credential with its key; empty = none is sent")
    per_hour: Annotated[int, Field(ge=1, le=1000, description="Questions an hour, of everybody together")] = (
        20
    )

    @property
    def is_set(self) -> bool:
        return self.kind != "off" and bool(self.model) and bool(self.url or self.kind == "gemini")


class Config(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        env_prefix="VITALD_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    box: Box = Box()
    store: Store = Store()
    web: Web = Web()
    sign_in: SignIn = SignIn()
    sound: Sound = Sound()
    proof: Proof = Proof()
    hardware: Hardware = Hardware()
    forward: Forward = Forward()
    reports: Reports = Reports()
    mail: Mail = Mail()
    assistant: Assistant = Assistant()
    update: Update = Update()
    beds: dict[str, Bed] = Field(default_factory=lambda: {"1": Bed()})

    @property
    def sound_socket(self) -> Path:
        """The sound process has a folder of its own: another user makes it."""
        run = self.box.run
        return self.sound.socket or run.with_name(f"{run.name}-sound") / "sound.sock"

    @property
    def work_socket(self) -> Path:
        """The worker has a folder of its own: another user makes it."""
        run = self.box.run
        return run.with_name(f"{run.name}-work") / "work.sock"

    @property
    def forward_socket(self) -> Path:
        """The forwarder has a folder of its own: another user makes it."""
        run = self.box.run
        return run.with_name(f"{run.name}-forward") / "forward.sock"

    @property
    def forward_data(self) -> Path:
        """And one for what it keeps."""
        data = self.box.data
        return data.with_name(f"{data.name}-forward")

    @property
    def crash_data(self) -> Path:
        """Where every process leaves its reports of errors; no patient's data."""
        data = self.box.data
        return data.with_name(f"{data.name}-crash")

    @property
    def web_data(self) -> Path:
        """Where what is uploaded waits to be read."""
        data = self.box.data
        return data.with_name(f"{data.name}-web")

    @property
    def cert_data(self) -> Path:
        """Where the pages' certificates are, and the keys that each its own process may read (docs/security.md)."""
        data = self.box.data
        return data.with_name(f"{data.name}-cert")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file (which comes as init values), and that over the seeds' names."""
        return env_settings, init_settings, SeedsEnvironment(settings_cls)


def load(path: Path) -> Config:
    """The configuration in `path` with the environment over it. Raises `BadConfig`. Devices are not asked about: `config_devices`."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: not TOML: {error}") from error
    try:
        return Config(**table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadConfig(f"{path}: {key}: {first['msg']}{more}") from None
