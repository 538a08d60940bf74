"""Decode speed of every board, as a ratio to its line rate, at live reads and in a backlog.

Reads are one frame (a pseudo-terminal), 10 ms of line (what a USB bridge gives at once), 50 ms (the longest a reader
sleeps) and 4 KiB (the kernel's read buffer, when there is a backlog). Bytes are synthetic and valid; one core, no other thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np

from benchmarks import Row
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators.contec import packet as contec7_packet
from firmware_bridge.simulators.gasboard import answer as gasboard_answer
from firmware_bridge.simulators.medibus import message as medibus_message
from firmware_bridge.simulators.resmed import frame as resmed_frame
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.wire import Type, sealed

SECONDS = 20  # of line, decoded for one figure
LEAST_BYTES = 50_000  # of a slow line it is more
NS = 1_000_000_000


def _dm_ecg(n: int, rng: np.random.Generator) -> bytes:
    counts = rng.integers(0, 4096, 8)
    pairs = bytes(b for c in counts.tolist() for b in (0x20 | c >> 7, c & 0x7F))
    return bytes((0xE8, n % 64, 0x11, 0x20, 0)) + pairs[:2] + bytes((pairs[2] | 0x40,)) + pairs[3:] + b"\x8e"


def _dm_ecg_ascii(n: int, rng: np.random.Generator) -> bytes:  # noqa: ARG001 - one shape for all
    return " ".join(str(c) for c in rng.integers(1000, 4096, 8)).encode() + b"\r\n"


def _healthypi4(n: int, rng: np.random.Generator) -> bytes:
    vitals = bytes((0x47, 0x0E, 16, 98, 60 + n // 125 % 40, 80, 120, 0))
    return b"\x0a\xfa\x14\x00\x02" + rng.bytes(12) + vitals + b"\x00\x0b"


def _healthypi5(n: int, rng: np.random.Generator) -> bytes:
    vitals = bytes((0x47, 0x0E, 98, 60 + n // 128 % 40, 16))
    return b"\x0a\xfa\x16\x00\x02" + rng.bytes(8) + b"\0" + rng.bytes(8) + vitals + b"\x00\x0b"


def _cyton(n: int, rng: np.random.Generator) -> bytes:
    acceleration = b"\x00\x10\xff\xe0\x1f\x40" if n % 10 == 0 else bytes(6)
    return bytes((0xA0, n % 256)) + rng.bytes(24) + acceleration + b"\xc0"


def _medibus(n: int, rng: np.random.Generator) -> bytes:
    """Two curves. Now and then comes the configuration, without which nothing is known of them."""
    if n % 50 == 0:
        return medibus_message(1, 0x53, "00   16000  -50  150FFF01   16000 -200  2005FA")
    counts = int(rng.integers(0, 0xFFF)), int(rng.integers(0, 0x5FA))
    return bytes((0xD3, *(0x80 | part for count in counts for part in (count & 63, count >> 6))))


def _resmed(n: int, rng: np.random.Generator) -> bytes:
    variable = ("RFL", "MKP", "RFL", "LKF")[n % 4]
    return resmed_frame("R", f"G S #{variable} = {rng.integers(0, 4096):04X}".encode())


LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ECG = tuple(messages.Entry(ch, 1, 0, 500.0, 0.001, 0.0, 0.0, lead, "mV") for ch, lead in enumerate(LEADS))
VLP_ROWS = 20  # 40 ms of eight leads


def _vlp(n: int, rng: np.random.Generator) -> bytes:
    counts = rng.integers(1, 256, (VLP_ROWS, 16), dtype=np.uint8).view("<i2")
    return sealed(Type.ROWS, n + 2, messages.rows(1, 0, (n * VLP_ROWS + 1) * 2000, counts))


def _gasboard(n: int, rng: np.random.Generator) -> bytes:
    oxygen, flow = int(rng.integers(200, 956)), int(rng.integers(0, 100))
    return gasboard_answer(1, oxygen.to_bytes(2, "big") + flow.to_bytes(2, "big") + bytes((1, n % 64, 0, 0)))


def _nonin(n: int, rng: np.random.Generator) -> bytes:
    beside = {0: 0, 1: 60 + n // 75 % 40, 2: 97, 3: 48}.get(n % 25, 0)
    body = bytes((1, 0x80 if n % 25 else 0x81, int(rng.integers(256)), beside))
    return body + bytes((sum(body) & 0xFF,))


def _contec(n: int, rng: np.random.Generator) -> bytes:
    return bytes((0x86, int(rng.integers(128)), 6, 60 + n // 60 % 40, 97))


def _contec7(n: int, rng: np.random.Generator) -> bytes:
    return contec7_packet(1, bytes((7, int(rng.integers(128)), 6, 60 + n // 60 % 40, 97, 0x90, 1)))


def _vt_settings(n: int, rng: np.random.Generator) -> bytes:
    start, low = rng.uniform(4, 20, 2)
    pressures = f"G,{start:.1f},1.0,H,{low:.1f},{low:.1f},20.0,1.0"
    text = f"*,R,141125,{n // 60 % 24:02d}{n % 60:02d},AUTOMODE,{pressures}"
    return f"{text},I,5.0,1.0,1.0,1.0,0.0,1.0,1.0,12345678C,#\r\n".encode()


MAKERS = {
    "dm_ecg": _dm_ecg,
    "dm_ecg_ascii": _dm_ecg_ascii,
    "healthypi4": _healthypi4,
    "healthypi5": _healthypi5,
    "cyton": _cyton,
    "vlp": _vlp,
    "medibus": _medibus,
    "resmed": _resmed,
    "gasboard": _gasboard,
    "nonin": _nonin,
    "contec": _contec,
    "contec7": _contec7,
    "vt_settings": _vt_settings,
}
# What a device says of itself before it streams.
FIRST = {
    "vlp": sealed(Type.HELLO, 0, messages.hello(messages.Hello(512, 3, bytes(16), 1, "bench", "1")))
    + sealed(Type.DICT, 1, messages.dictionary(1, ECG))
}
OPTIONS = {"cyton": {"setup": "no", "leads": "12"}}


def _decode_s(kind: str, stream: bytes, read: int, line: int) -> float:
    """Seconds of CPU time to decode `stream` in reads of `read` bytes, best of three."""
    best = float("inf")
    for _ in range(3):
        board = BOARDS[kind].board(OPTIONS.get(kind, {}))
        board.feed(FIRST.get(kind, b""), 0)
        begin = time.process_time()
        for at in range(0, len(stream), read):
            board.feed(stream[at : at + read], at * NS // line)
        best = min(best, time.process_time() - begin)
    return best


def rows() -> Iterable[Row]:
    yield from _rows()


def _rows() -> Iterator[Row]:
    rng = np.random.default_rng(1)
    for kind, make in MAKERS.items():
        line = BOARDS[kind].FACTS.line_bytes_per_second
        size = len(make(1, rng))
        stream = b"".join(make(n, rng) for n in range(max(SECONDS * line, LEAST_BYTES) // size))
        reads = (
            ("one frame", size),
            ("10 ms", max(line // 100, 1)),
            ("50 ms", max(line // 20, 1)),
            ("4 KiB", 4096),
        )
        for name, read in reads:
            yield _row(f"decode {kind}, reads of {name}", kind, stream, size, read)
        yield _row(
            f"decode {kind}, one frame in 20 damaged, 50 ms",
            kind,
            _damaged(stream, size),
            size,
            max(line // 20, 1),
        )


def _row(claim: str, kind: str, stream: bytes, size: int, read: int) -> Row:
    line = BOARDS[kind].FACTS.line_bytes_per_second
    spent = _decode_s(kind, stream, read, line)
    seconds = len(stream) / line
    ratio = seconds / spent
    note = f"{len(stream) / size / spent:,.0f} frames/s, {100 * spent / seconds:.2f} % of a core"
    return Row(claim, ratio, "x line rate", "> 200", ratio > 200, note)


def _damaged(stream: bytes, size: int) -> bytes:
    """One byte dropped from every twentieth frame."""
    step = 20 * size
    return b"".join(
        stream[at : at + size // 2] + stream[at + size // 2 + 1 : at + step]
        for at in range(0, len(stream), step)
    )
