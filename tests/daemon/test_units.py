"""The table of units and observables holds together."""

import pytest

from daemon.units import OBSERVABLES, UNITS


def luhn_digit(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def test_every_observable_has_a_unit_of_the_table():
    assert {o.unit for o in OBSERVABLES.values()} <= set(UNITS)


def test_no_code_is_used_twice():
    for codes in (
        [u.mdc for u in UNITS.values()],
        [o.mdc for o in OBSERVABLES.values()],
        [u.ucum for u in UNITS.values()],
    ):
        known = [code for code in codes if code]
        assert len(known) == len(set(known))


def test_unit_codes_lie_in_the_dimension_partition():
    assert all(unit.mdc // 65536 == 4 for unit in UNITS.values() if unit.mdc)
    assert all((unit.mdc is None) == (unit.mdc_name == "") for unit in UNITS.values())


@pytest.mark.parametrize("loinc", [o.loinc for o in OBSERVABLES.values() if o.loinc])
def test_loinc_check_digits_are_right(loinc):
    number, check = loinc.split("-")

    assert luhn_digit(number) == int(check)
