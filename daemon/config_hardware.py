"""What tells of the box's own supply: `[hardware]` of the configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Hardware(BaseModel):
    """Files, or lines of a GPIO chip; a file goes before a line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mains_file: Path | None = Field(
        None, description="File that begins with 1 while the mains are there, with 0 when they are not"
    )
    ending_file: Path | None = Field(
        None, description="File that begins with 1 when the supply is about to end: the daemon comes to rest"
    )
    gpio_chip: Path = Field(Path("/dev/gpiochip0"), description="Chip of the lines below")
    mains_line: int | None = Field(
        None, ge=0, description="Line that is high while the mains are there, in the place of mains_file"
    )
    ending_line: int | None = Field(
        None,
        ge=0,
        description="Line that is high when the supply is about to end, in the place of ending_file",
    )
