"""What scanners read: a patient's number, or the reason why not. Check digits are those of the GS1 General Specifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.wristband import GS, BadScan, check_digit, read
from daemon.words import ENGLISH

GSRN = "735005385000000011"


def test_the_check_digit_is_gs1s():
    """629104150021 -> 3 is the worked example of GS1's check digit page; the other two are codes from shelves."""
    assert check_digit("629104150021") == 3
    assert check_digit("400638133393") == 1
    assert check_digit("03600029145") == 2


def gsrn(body: str) -> str:
    return body + str(check_digit(body))


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (f"8018{gsrn(GSRN[:17])}", gsrn(GSRN[:17])),
        (f"]C18018{gsrn(GSRN[:17])}", gsrn(GSRN[:17])),
        (f"]d2{GS}8018{gsrn(GSRN[:17])}{GS}8019" + "1", gsrn(GSRN[:17])),
        (f"(8018){gsrn(GSRN[:17])}", gsrn(GSRN[:17])),
        ("MRN-1", "MRN-1"),
        ("00482915\r\n", "00482915"),
        ("A12_4", "A12_4"),
    ],
)
def test_what_is_read(code, number):
    assert read(code) == number


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("4006381333931", "scan.product"),
        ("036000291452", "scan.product"),
        ("]E04006381333931", "scan.product"),
        ("]C10104006381333931", "scan.product"),
        (f"]d20104006381333931{GS}10ABC", "scan.product"),
        ("(01)04006381333931(17)271231(10)LOT", "scan.product"),
        ("+A99912345/9901510X3", "scan.product"),
        ("=W00001234567800", "scan.product"),
        ("-01234567", "scan.product"),
        (f"8017{gsrn(GSRN[:17])}", "scan.provider"),
        (f"]C18018{gsrn(GSRN[:17])[:-1]}{(int(gsrn(GSRN[:17])[-1]) + 1) % 10}", "scan.damaged"),
        ("]C1801812345", "scan.damaged"),
        ("]C1999912345", "scan.unknown"),
        ("ab", "scan.unknown"),
        ("John Doe", "scan.unknown"),
        ("<script>", "scan.unknown"),
        ("9" * 300, "scan.unknown"),
    ],
)
def test_what_is_refused_and_why(code, why):
    with pytest.raises(BadScan) as refused:
        read(code)
    assert str(refused.value) == why
    assert why in ENGLISH


@given(st.text(alphabet="0123456789", min_size=17, max_size=17), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body, place, by):
    whole = gsrn(body)
    damaged = whole[:place] + str((int(whole[place]) + by) % 10) + whole[place + 1 :]
    assert read("8018" + whole) == whole
    with pytest.raises(BadScan, match="damaged"):
        read("8018" + damaged)


@given(st.text(max_size=60))
def test_whatever_a_scanner_sends_it_is_read_or_refused(text):
    try:
        number = read(text)
    except BadScan as refused:
        assert str(refused) in ENGLISH  # noqa: PT017 - either is right
    else:
        assert number.isprintable()
