"""A patient as the API tells of one: an id, and who it is only where the token may see names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from daemon.model.scopes import Scope
from webui.api.routes import Call, Model


class Patient(Model):
    """`full_name`, `age` and `gender` are null without the scope read:patients."""

    patient_id: str
    full_name: str | None = Field(None, description="null without the scope read:patients")
    age: int | None = Field(
        None, description="null without the scope read:patients, or where it is not known"
    )
    gender: str | None = Field(
        None, description="null without the scope read:patients, or where it is not known"
    )


def patient(call: Call, known: Mapping[str, Any] | None) -> Patient | None:
    """As far as the caller may know."""
    if known is None:
        return None
    identity = str(known.get("patient_id", ""))
    if not call.may(Scope.READ_PATIENTS):
        return Patient(patient_id=identity)
    return Patient(
        patient_id=identity,
        full_name=known.get("full_name"),
        age=known.get("age"),
        gender=known.get("gender") or None,
    )
