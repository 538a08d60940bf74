"""Codes of ISO/IEEE 11073-10101 (MDC) for what is no number: leads, beats, rhythms, alarms. Numbers and units: daemon/units.py.

A code is (partition, term); its number is partition * 65536 + term. Sources: DICOM PS3.16 CID 3001, 3335, 3415 and the event
terms that pydicom's dictionary holds. What is not here has no code that we know, and goes out with its text.
"""

from __future__ import annotations

from typing import NamedTuple

MDC_OID = "2.16.840.1.113883.6.24"
MDC_URI = "urn:iso:std:iso:11073:10101"
LOINC_URI = "http://loinc.org"
UCUM_URI = "http://unitsofmeasure.org"


class Mdc(NamedTuple):
    """A term, and the words that its source has for it."""

    partition: int
    term: int
    text: str

    @property
    def number(self) -> int:
        return self.partition << 16 | self.term

    @property
    def dotted(self) -> str:
        """As DICOM writes it: "2:1"."""
        return f"{self.partition}:{self.term}"


LEADS = {
    "I": Mdc(2, 1, "Lead I"),
    "II": Mdc(2, 2, "Lead II"),
    "III": Mdc(2, 61, "Lead III"),
    "aVR": Mdc(2, 62, "aVR, augmented voltage, right"),
    "aVL": Mdc(2, 63, "aVL, augmented voltage, left"),
    "aVF": Mdc(2, 64, "aVF, augmented voltage, foot"),
    "V1": Mdc(2, 3, "Lead V1"),
    "V2": Mdc(2, 4, "Lead V2"),
    "V3": Mdc(2, 5, "Lead V3"),
    "V4": Mdc(2, 6, "Lead V4"),
    "V5": Mdc(2, 7, "Lead V5"),
    "V6": Mdc(2, 8, "Lead V6"),
}
"""A lead as where it is taken from (partition 2); the voltage between there and its reference is at `POTENTIAL` + term."""

POTENTIAL = Mdc(2, 256, "Electric potential of the heart")

BEATS = {
    "N": Mdc(10, 8208, "Normal beat (sinus beat, normal conduction)"),
    "S": Mdc(10, 8272, "Atrial premature contraction (beat)"),
    "V": Mdc(10, 8336, "Ventricular premature contraction beat"),
}
"""By our class; fusion, paced and unknown beats have no code here."""

RHYTHMS = {
    "N": Mdc(10, 9216, "Sinus Rhythm"),
    "SBR": Mdc(10, 9248, "Sinus Bradycardia"),
    "STACH": Mdc(10, 9264, "Sinus Tachycardia"),
    "AFIB": Mdc(10, 9472, "Atrial fibrillation"),
    "AFL": Mdc(10, 9456, "Atrial flutter"),
    "B": Mdc(10, 9920, "Ventricular Bigeminy"),
    "VT": Mdc(10, 9984, "Ventricular Tachycardia (nonparoxysmal)"),
    "VF": Mdc(10, 10016, "Ventricular Fibrillation"),
    "ASYS": Mdc(10, 10336, "Asystole"),
}
"""By WFDB's label."""

ALARMS = {
    "asystole": Mdc(3, 3076, "Asystole"),
    "no_breath": Mdc(3, 3072, "Apnea"),
    "hr_low": Mdc(3, 3084, "Bradycardia"),
    "af_start": Mdc(3, 3128, "Atrial fibrillation"),
    "desat": Mdc(3, 3246, "Desaturation"),
}
"""By the row of the alarm table."""

EVENT_ALARM = Mdc(3, 8, "Alarm event")
