"""The configuration of a box: one TOML file, VITALD_* environment variables over it; an unknown key is an error.

`load` raises `BadConfig`, whose text names the file and the key; commands exit with 78 on it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class BadConfig(Exception):
    """The configuration cannot be used; the text names the key and what is wrong with it."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(_Table):
    """The box itself."""

    name: str = Field("vitald", description="How people call this box; shown on its pages")
    data: Path = Field(Path("/var/lib/vitald"), description="Folder of the databases")
    run: Path = Field(Path("/run/vitald"), description="Folder of the control socket")
    demo: bool = Field(False, description="Marks every page DEMO: the patients are simulators")

    @property
    def socket(self) -> Path:
        return self.run / "control.sock"

    @property
    def database(self) -> Path:
        return self.data / "vitald.db"


class Web(_Table):
    """The page's server."""

    host: str = Field("127.0.0.1", description="Address the pages are served on")
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port of the pages; 0 = any free one")] = 8080


class Sound(_Table):
    """The loudspeaker, the lamp and the nurse call."""

    enabled: bool = Field(True, description="Whether the box itself sounds alarms")
    device: str = Field("default", description="ALSA's name of the loudspeaker (`aplay -L` lists them)")
    volume: Annotated[int, Field(ge=0, le=100, description="Loudness; 0 is 40 dB below 100, not silence")] = (
        70
    )
    melodies: bool = Field(False, description="Bursts tell the cause by their notes (IEC 60601-1-8, 2006)")
    socket: Path | None = Field(None, description="Socket of the sound process; empty = beside box.run")
    gpio_chip: Path = Field(Path("/dev/gpiochip0"), description="Chip of the lines below")
    lamp_high: int | None = Field(None, ge=0, description="Line of the red lamp")
    lamp_medium: int | None = Field(None, ge=0, description="Line of the yellow lamp")
    lamp_low: int | None = Field(None, ge=0, description="Line of the cyan lamp")
    nurse_call: int | None = Field(None, ge=0, description="Line of the nurse-call relay; high = all is well")


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
    web: Web = Web()
    sound: Sound = Sound()
    beds: dict[str, Bed] = Field(default_factory=lambda: {"1": Bed()})

    @property
    def sound_socket(self) -> Path:
        """The sound process has a folder of its own: another user makes it."""
        run = self.box.run
        return self.sound.socket or run.with_name(f"{run.name}-sound") / "sound.sock"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file (which comes as init values)."""
        return env_settings, init_settings


def load(path: Path) -> Config:
    """The configuration in `path` with the environment over it. Raises `BadConfig`."""
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
