"""Who is at a bed, as its screen says it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PatientState(BaseModel):
    """A patient; `age` is of the day of the admission."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patient_id: str
    full_name: str
    age: int | None
    gender: str
