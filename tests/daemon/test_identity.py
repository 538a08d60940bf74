"""Two identifiers of a patient: what was typed from a wristband, against what is known."""

from __future__ import annotations

import pytest

from daemon.model.identity import wrong

PATIENT = {"patient_id": "P-25", "full_name": "Ada Żak-Ørsted", "birth_date": "1954-05-06"}


@pytest.mark.parametrize(
    "given",
    [
        {"patient_id": " P-25 ", "birth_date": "1954-05-06"},
        {"full_name": "żak-ørsted, ADA", "patient_id": "P-25"},
        {"full_name": "Z\u0307ak-ørsted  ada"},  # the accent as a letter of its own
    ],
)
def test_what_is_the_same_for_a_person_is_the_same(given):
    assert wrong(given, PATIENT) == ()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("patient_id", "P-250"),
        ("patient_id", "p-25"),
        ("patient_id", " "),
        ("birth_date", "1954-06-05"),
        ("full_name", "Ada"),
        ("full_name", "Ada Ada Żak-Ørsted"),
        ("full_name", ", "),
    ],
)
def test_what_is_not_the_patients_is_named(kind, text):
    assert wrong({kind: text}, PATIENT) == (kind,)


def test_what_the_record_lacks_is_no_identifier():
    assert wrong({"birth_date": ""}, {"patient_id": "P-1"}) == ("birth_date",)
    assert wrong({"birth_date": "1954-05-06"}, {"patient_id": "P-1", "birth_date": None}) == ("birth_date",)
