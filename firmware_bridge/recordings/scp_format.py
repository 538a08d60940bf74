"""What a writer and a reader of SCP-ECG (EN 1064 / ISO 11073-91064) share: leads, the checksum, the default Huffman table."""

from __future__ import annotations

PROTOCOL = 20
"""Version 2.0 of the protocol, in tenths."""

LEAD_IDS = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64}  # fmt: skip
LEAD_NAMES = {number: name for name, number in LEAD_IDS.items()}

DEFAULT_TABLE = 19999

_POLYNOMIAL = 0x1021


def _table() -> tuple[int, ...]:
    out = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1 ^ _POLYNOMIAL) & 0xFFFF if value & 0x8000 else value << 1 & 0xFFFF
        out.append(value)
    return tuple(out)


_TABLE = _table()


def crc(data: bytes) -> int:
    """CRC-CCITT, from 0xFFFF, the highest bit first."""
    value = 0xFFFF
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ _TABLE[value >> 8 ^ byte]
    return value
