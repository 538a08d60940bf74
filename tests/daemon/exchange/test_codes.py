"""Codes: none is invented, none means two things. What DICOM's dictionary holds says the same as we do."""

from __future__ import annotations

from itertools import chain

import pytest
from pydicom.sr._concepts_dict import concepts

from daemon.alarms.table import ROWS
from daemon.model import codes
from daemon.units import CODED, LOCAL_SYSTEM, READINGS, UNITS, mdc

PARTITIONS = {1: "objects", 2: "metrics", 3: "events", 4: "dimensions", 10: "ECG"}

SAID = {code: meaning for entries in concepts["MDC"].values() for code, (meaning, _) in entries.items()}


def test_an_mdc_number_is_its_partition_and_term():
    assert mdc(2, 16770) == 147842 == CODED["heart_rate"].mdc
    assert codes.LEADS["I"].number == 131073
    assert codes.LEADS["I"].dotted == "2:1"
    assert codes.ALARMS["asystole"].number == 199684
    for observable in CODED.values():
        assert observable.mdc is None or observable.mdc >> 16 == 2, observable
        assert (observable.mdc is None) == (observable.mdc_name == "")
    for group, partition in ((codes.LEADS, 2), (codes.BEATS, 10), (codes.RHYTHMS, 10), (codes.ALARMS, 3)):
        assert {code.partition for code in group.values()} == {partition}
    assert {unit.mdc >> 16 for unit in UNITS.values() if unit.mdc} == {4}


@pytest.mark.parametrize("group", ["LEADS", "BEATS", "RHYTHMS", "ALARMS"])
def test_dicom_says_the_same_of_each(group):
    for code in getattr(codes, group).values():
        assert SAID[code.dotted].strip() == code.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pr_interval", "PR"),
        ("qrs_duration", "QRS"),
        ("qt_interval", "QT"),
        ("rr_interval", "RR"),
        ("p_axis", "P Axis"),
        ("qrs_axis", "QRS axis"),
        ("t_axis", "T axis"),
    ],
)
def test_dicom_says_the_same_of_a_number(name, words):
    number = CODED[name].mdc
    assert SAID[f"{number >> 16}:{number & 0xFFFF}"].startswith(words)


def test_no_code_means_two_things():
    everything = [
        *(code.number for code in chain(codes.LEADS.values(), codes.BEATS.values(), codes.RHYTHMS.values())),
        *(o.mdc for o in CODED.values() if o.mdc),
        codes.POTENTIAL.number,
        codes.EVENT_ALARM.number,
    ]
    assert len(everything) == len(set(everything))
    loincs = [code for o in CODED.values() for code in (o.loinc, o.also_loinc) if code]
    assert len(loincs) == len(set(loincs))
    assert {o.unit for o in CODED.values()} <= set(UNITS)


def luhn_holds(loinc: str) -> bool:
    number, check = loinc.split("-")
    digits = [int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(number))]
    return (sum(d - 9 if d > 9 else d for d in digits) + int(check)) % 10 == 0


def test_check_digits_of_all_loinc_codes():
    for observable in CODED.values():
        assert all(luhn_holds(code) for code in (observable.loinc, observable.also_loinc) if code)
    assert luhn_holds("11524-6")
    assert not luhn_holds("11524-0")  # as DICOM prints it
    assert not luhn_holds("3150-6")


def test_alarms_with_a_code_are_alarms_of_ours():
    assert set(codes.ALARMS) <= set(ROWS)


def test_what_has_no_code_goes_out_under_our_own_system_with_its_name():
    from daemon.exchange.hl7 import code_of
    from daemon.exchange.letters import title
    from daemon.exchange.observed import Series
    from daemon.exchange.session_fhir import _codings

    assert code_of("o2_purity") == "o2_purity^Oxygen purity^99VITALD"
    assert _codings(Series("o2_purity", "", "", "%")) == [(LOCAL_SYSTEM, "o2_purity", "Oxygen purity")]
    assert code_of("cpap_pressure") == f"cpap_pressure^{title('cpap_pressure')}^99VITALD"
    assert code_of("something^new") == "something\\S\\new^something\\S\\new^99VITALD"
    assert not READINGS["cpap_pressure"].loinc
