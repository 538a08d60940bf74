"""What a barcode scanner reads off a wristband: the patient's number, or why the code is none.

GS1 General Specifications: application identifier 8018 is the recipient of a service (18 digits, the last a check digit over the
others, weights 3 and 1), 8017 the provider. FNC1 comes as GS (0x1D); a symbology identifier (ISO/IEC 15424) may stand before.
"""

from __future__ import annotations

import re

GS = "\x1d"
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,39}")
_DRUG = re.compile(r"-\d{7,8}|PZN-?\d{7,8}", re.IGNORECASE)
_PRODUCT_AIS = ("00", "01", "02", "10", "11", "13", "15", "17", "20", "21", "240", "241", "250", "37", "71")
_GTIN_DIGITS = frozenset({12, 13, 14})
_GSRN_DIGITS = 18
LONGEST = 200


class BadScan(ValueError):
    """No patient's code; the text is the word key that says why."""


def check_digit(digits: str) -> int:
    """GS1's check digit of the digits before it: weights 3, 1, 3... from the right, up to the next ten."""
    total = sum(int(digit) * (1 if at % 2 else 3) for at, digit in enumerate(reversed(digits)))
    return -total % 10


def read(text: str) -> str:
    """The patient's number in a scanned code. Raises `BadScan`."""
    if len(text) > LONGEST:
        raise BadScan("scan.unknown")
    code = text.strip("\r\n\t ")
    symbology = _SYMBOLOGY.match(code)
    of_gs1 = symbology is not None and symbology[0] in {"]C1", "]d2", "]Q3", "]e0"}
    retail = symbology is not None and symbology[0][:2] == "]E"
    code = code[len(symbology[0]) :] if symbology else code
    of_gs1 = of_gs1 or GS in code or code.startswith("(")
    code = code.strip(GS)
    if retail or code.startswith(("+", "=", "&")) or _DRUG.fullmatch(code):  # EAN, HIBC, ISBT 128, PZN
        raise BadScan("scan.product")
    if of_gs1 or re.fullmatch(r"801[78]\d{18}", code):
        return _gs1(code)
    if code.isdecimal() and len(code) in _GTIN_DIGITS and check_digit(code[:-1]) == int(code[-1]):
        raise BadScan("scan.product")
    if not _NUMBER.fullmatch(code):
        raise BadScan("scan.unknown")
    return code


def _gs1(code: str) -> str:
    """The number after 8018, whatever else the code holds."""
    parts = (
        re.findall(r"\((\d{2,4})\)([^(]*)", code)
        if code.startswith("(")
        else [(p[:4], p[4:]) for p in code.split(GS)]
    )
    for ai, value in parts:
        if ai == "8018":
            number = value.strip(GS)[:_GSRN_DIGITS]
            if len(number) != _GSRN_DIGITS or not number.isdecimal():
                raise BadScan("scan.damaged")
            if check_digit(number[:-1]) != int(number[-1]):
                raise BadScan("scan.damaged")
            return number
        if ai == "8017":
            raise BadScan("scan.provider")
    if any(ai.startswith(_PRODUCT_AIS) for ai, _ in parts):
        raise BadScan("scan.product")
    raise BadScan("scan.unknown")
