"""Where the box's own updates come from: `[update]` of the configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Update(BaseModel):
    """Where the box's own updates are pulled from. None is, unless an address is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        "", pattern=r"^(https://.+)?$", description="Address of the file that says what there is"
    )
    ca_file: Path | None = Field(None, description="Certificates to trust in place of the system's")
    max_mb: int = Field(2000, ge=1, description="Megabytes that a bundle may have")
