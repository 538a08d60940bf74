"""What names a person leaves the box only where that is agreed for the destination; a pseudonymous id always may."""

from __future__ import annotations

from typing import Any, Final

from daemon.contracts.envelope import Envelope

NAMED: Final = ("full_name", "age", "gender", "phone", "address", "registration_date")


def pseudonymous(envelope: Envelope) -> Envelope:
    """The same message with a patient's id alone. Free text of persons is in no other field of our messages."""
    patient: Any = envelope.body.get("patient")
    if not isinstance(patient, dict):
        return envelope
    kept = {name: value for name, value in patient.items() if name not in NAMED}
    return envelope.model_copy(update={"body": {**envelope.body, "patient": kept}})
