"""Two identifiers of a patient, as they are taken from the patient or the wristband before something is done to the record."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["patient_id", "birth_date", "full_name"]
"""What counts as an identifier. A bed or a room is none."""

NEEDED = 2


def wrong(given: Mapping[Kind, str], patient: Mapping[str, Any]) -> tuple[Kind, ...]:
    """The kinds of `given` that are not this patient's; one that the patient's record lacks is not."""
    return tuple(kind for kind, text in given.items() if not _same(kind, text, patient.get(kind)))


def _same(kind: Kind, text: str, known: object) -> bool:
    if not known or not text.strip():
        return False
    if kind == "full_name":
        return bool(_words(text)) and _words(text) == _words(str(known))
    return text.strip() == str(known)


def _words(name: str) -> list[str]:
    """Case, accents and the order of first and last name make no difference: what is compared was typed from a wristband."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return sorted(plain.casefold().replace(",", " ").split())
