"""What the short-lived process is told, and what it tells back: one JSON line in, lines of progress and one result out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from daemon.control.reports import PaperName, ReportAsked, ReportGiven, StatementMade


class NotMakeable(Exception):
    """The report cannot be made; the text says why, for the person who asked."""


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signed(_Told):
    """A confirmation: of which report, whose statements `made` become `lines` (None: as they were), by whom and when (UTC).

    `amends`: the report was confirmed before.
    """

    of: str
    made: tuple[StatementMade, ...]
    lines: tuple[str, ...] | None
    by: str
    utc_ns: int
    amends: bool


class Box(_Told):
    """What a report says of the box, and what of its configuration it goes by."""

    name: str = "vitald"
    serial: str = ""
    demo: bool = False
    beds: dict[str, str] = Field(default_factory=dict, description="Bed -> what the screen calls it")
    mains: dict[str, int] = Field(default_factory=dict, description="Bed -> frequency of the mains there")
    paper: PaperName = "A4"
    people: str = Field("", description="Path of box.db, for what only it knows")


class Job(_Told):
    """One report: made at `utc_ns` under `id`, from the store `database`, into `folder`."""

    id: str
    utc_ns: int
    asked: ReportAsked
    database: Path
    folder: Path
    box: Box = Box()
    signed: Signed | None = None

    @property
    def file(self) -> str:
        """The name of the file: it says nothing of the patient."""
        return f"{self.asked.kind}_report_{self.id}.pdf"

    @property
    def paper(self) -> PaperName:
        return self.asked.paper or self.box.paper


class Drawn(_Told):
    """What a report has come to, besides its file. `options` are enough to make it again."""

    about_utc_ns: int
    pages: int
    missing: tuple[str, ...] = ()
    device: str = ""
    samples_sha256: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    made: tuple[StatementMade, ...] = ()
    metrics: dict[str, float | None] = Field(default_factory=dict)
    summary: dict[str, Any] = Field(default_factory=dict)
    conclusion: str = ""


class Line(_Told):
    """A line of the process: how far it is, or its result, or why there is none."""

    progress: float = 0.0
    given: ReportGiven | None = None
    missing: int = 0
    refused: str = ""
