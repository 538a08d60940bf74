"""SCP-ECG, as others write it: plain, in differences, Huffman-coded; and what is damaged, or cannot be read, said in one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.recordings import BadRecording, open_recording
from firmware_bridge.recordings.scp import default_table
from firmware_bridge.recordings.scp_format import crc

ROWS = np.cumsum(np.random.default_rng(3).integers(-12, 13, (2, 700)), axis=1).astype(np.int64)
ROWS[0, 100] = 3000  # 16 bits in the default table
ROWS[1, 200] = -90  # 8 bits
PREFIXES = {code.value: (length, bits) for (length, bits), code in default_table().items() if not code.extra}


def huffman(row) -> bytes:
    """The default table's code of a row, from its description: the value's code, or a prefix and the number itself."""
    out = ""
    for value in row.tolist():
        if value in PREFIXES:
            length, bits = PREFIXES[value]
            out += f"{bits:0{length}b}"
        elif -128 <= value < 128:
            out += "1111111110" + f"{value & 0xFF:08b}"
        else:
            out += "1111111111" + f"{value & 0xFFFF:016b}"
    out += "0" * (-len(out) % 16)
    return int(out, 2).to_bytes(len(out) // 8, "big")


def differences(row, order):
    """The first samples stand as they are."""
    out = row.copy()
    if order:
        out[order:] = np.diff(row, order)
    return out


def section(number: int, body: bytes) -> bytes:
    body += b"\0" * (len(body) % 2)
    rest = (
        struct.pack("<HIBB", number, len(body) + 16, 13, 13) + (b"SCPECG" if not number else b"\0" * 6) + body
    )
    return struct.pack("<H", crc(rest)) + rest


def written(rows=ROWS, *, order=0, coded=False, bimodal=0, flags=0b10100, unit=2500, extra=()) -> bytes:
    """A record of two leads (II, V1), with sections 3 and 6 and, where it is coded, 2."""
    data = [differences(row, order) for row in rows]
    packed = [huffman(row) if coded else row.astype("<i2").tobytes() for row in data]
    leads = struct.pack("<BB", 2, flags) + b"".join(struct.pack("<IIB", 1, rows.shape[1], n) for n in (2, 3))
    body = (
        struct.pack("<HHBB", unit, 2000, order, bimodal)
        + struct.pack("<2H", *map(len, packed))
        + b"".join(packed)
    )
    sections = {3: leads, 6: body, **dict(extra)} | ({2: struct.pack("<H", 19999)} if coded else {})
    made = {number: section(number, sections[number]) for number in sorted(sections)}
    at, pointers = 6 + 16 + 120, b""
    for number in range(12):
        length = len(made.get(number, b"")) if number else 136
        index = 7 if not number else at + 1 if number in made else 0
        pointers += struct.pack("<HII", number, length, index)
        at += length if number else 0
    content = section(0, pointers) + b"".join(made.values())
    record = struct.pack("<I", len(content) + 6) + content
    return struct.pack("<H", crc(record)) + record


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "huffman"])
def test_every_sample_is_read(tmp_path, order, coded):
    path = tmp_path / "a.scp"
    path.write_bytes(written(order=order, coded=coded))
    read = open_recording(path)
    np.testing.assert_array_equal(read.counts(0, 700), ROWS)
    np.testing.assert_array_equal(read.counts(10, 20), ROWS[:, 10:20])
    assert [c.name for c in read.channels] == ["II", "V1"]
    assert (read.rate_hz, read.channels[0].unit, read.channels[0].gain) == (
        500.0,
        "mV",
        pytest.approx(0.0025),
    )


@pytest.mark.parametrize(("order", "coded"), [(0, True), (1, True), (2, True), (2, False)])
def test_biosig_reads_the_same_from_such_records(tmp_path, order, coded):
    """What this file takes the standard to say is what another reader takes it to say."""
    tool = shutil.which("save2gdf")
    if tool is None:
        assert os.environ.get("CI") != "true", "save2gdf (biosig-tools) is not installed"
        pytest.skip("save2gdf (biosig-tools) is not installed")
    path = tmp_path / "a.scp"
    path.write_bytes(written(order=order, coded=coded))
    subprocess.run(
        [tool, "-f=ASCII", str(path), str(tmp_path / "b")], capture_output=True, check=False, timeout=60
    )
    rows = np.stack([np.loadtxt(tmp_path / f"b.a0{k}")[:700] for k in (1, 2)])
    np.testing.assert_allclose(rows, ROWS * 2.5, atol=1e-6)


def test_the_checksum_is_that_of_the_standard():
    assert crc(b"123456789") == 0x29B1  # CRC-CCITT from 0xFFFF (Williams, A painless guide to CRC)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: written(bimodal=1), "bimodally"),
        (lambda: written(flags=0b10101, extra={5: b"\0" * 20}), "reference beat"),
        (lambda: written(order=3), "kind 3"),
        (lambda: written(unit=0), "how much a step"),
        (lambda: written()[:-40], "truncated"),
        (lambda: b"hello, this is no record of an ECG at all", "not an SCP-ECG"),
        (lambda: bytes([*written()[:300], 1, *written()[301:]]), "checksum"),
        (
            lambda: written(
                coded=True, extra={6: struct.pack("<HHBBHH", 2500, 2000, 0, 0, 4, 4) + b"\xff" * 8}
            ),
            "too early|Huffman",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, make, said):
    path = tmp_path / "a.scp"
    path.write_bytes(make())
    with pytest.raises(BadRecording, match=said) as raised:
        open_recording(path)
    assert "\n" not in str(raised.value)


@settings(max_examples=60)
@given(st.binary(max_size=400), st.integers(0, 4000))
def test_garbage_never_raises_anything_else(tmp_path_factory, noise, at):
    path = tmp_path_factory.getbasetemp() / "garbage.scp"
    whole = written(ROWS[:, :200], coded=True)
    at %= len(whole)
    broken = whole[:at] + noise + whole[at + len(noise) :]
    # The record's own checksum holds, so that what lies below it is looked into.
    broken = struct.pack("<HI", 0, len(broken)) + broken[6:] if len(broken) > 6 else broken
    path.write_bytes(struct.pack("<H", crc(broken[2:])) + broken[2:])
    with contextlib.suppress(BadRecording):
        open_recording(path).counts(0, 1)
