"""A session leaves the box and is read by others: every count is the one that was stored."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import edfio
import numpy as np
import pytest

from daemon.cli import main
from daemon.contracts.ecg.v1 import ChannelOf
from daemon.contracts.seeds.waves import counts_of
from daemon.exchange.session_edf import NotExportable, write_edf
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Event, Evidence, Rhythm
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import (
    Channel,
    Command,
    Gap,
    GapCause,
    Quantity,
    SampleBlock,
    Segment,
    Stream,
)
from daemon.store.reader import ask
from daemon.store.recorded import session
from daemon.store.writer import Writer

S = 10**9
UTC_NS = 1_736_339_696 * S
NAME = "session_20250108_123456"
JOHN = {"patient_id": "MRN-1", "full_name": "Jöhn Doe", "birth_date": "1980-01-09", "age": 44, "gender": "Male", "registration_date": "2025-01-01"}  # fmt: skip
METRICS = {"signal_quality": "good", "is_recording": True, "demo_mode": False, "sampling_rate_hz": 500.0, "heart_rate_bpm": 75.0}  # fmt: skip


def stream(low_gain: float = 0.005, bits: int = 16) -> Stream:
    channels = tuple(
        Channel(n, Quantity.ECG, "mV", low_gain, offset=3.0, low=-(2 ** (bits - 1)), high=2 ** (bits - 1) - 1)
        for n in ("I", "II", "V1")
    )
    return Stream("ECG-7711-0045", "ecg", 500.0, channels)


def walk(n: int, seed: int = 1, scale: int = 1) -> np.ndarray:
    steps = np.random.default_rng(seed).integers(-9, 10, (3, n)) * scale
    return np.cumsum(steps, axis=1).astype(np.int32)


@pytest.fixture
def recorded(tmp_path):
    """12 s of a stay of John's, 100 samples missing at 4 s, the device away from 8 s to 9 s; then a discharge, and 3 s more."""

    async def make(scale: int = 1):
        counts = walk(6000, scale=scale)
        path = tmp_path / "vitald.db"
        saved: list[int] = []
        news = asyncio.Event()

        async def stored(seq: int) -> None:
            while not saved or saved[-1] < seq:
                news.clear()
                await news.wait()

        def heard(what) -> None:
            saved.append(what.seq)
            news.set()

        writer = Writer(
            path,
            on_saved=heard,
            boot="b",
            now=lambda: 15 * S,
            utc_offset_ns=UTC_NS,
            commit_every_s=0.01,
            about={"os": "linux", "app_version": "1.0"},
        )
        await writer.start()
        writer.offer("1", Command("c-1", 0, "1", "nurse", "admit", (("patient", json.dumps(JOHN)),)))
        one = Segment("s-1", "1", stream(), "b", 1, 0)
        evidence = Evidence("s-1", 0, 9, "rule/1")

        def block(segment, first, n, t0_ns):
            at = first if segment is one else first + 4000
            return SampleBlock(
                segment,
                first,
                t0_ns,
                2e6,
                np.ascontiguousarray(counts[:, at : at + n]),
                t0_ns + n * 2_000_000,
            )

        for i in range(8):
            message = Outgoing(i * S, Lane.METRICS, "ecg.metrics/1", "ECG-7711-0045", METRICS)
            if i == 4:
                writer.offer("1", Gap(one, 2000, 100, 4 * S, 4 * S, GapCause.NOISE))
                writer.offer("1", block(one, 2100, 400, 4 * S + S // 5))
                continue
            found = (
                [Rhythm(2 * S, 2 * S, None, "AFIB", evidence), Event(2 * S, 2 * S, "pause", (), evidence)]
                if i == 2
                else []
            )
            writer.offer("1", block(one, i * 500, 500, i * S), found, outgoing=[message])
        alarm = Change(ChangeKind.BEGAN, 3 * S, 3 * S, "hr_high", priority=Priority.HIGH)
        writer.offer("1", Command("c-3", 9 * S, "1", "", "display"), (), [alarm])
        two = Segment("s-2", "1", stream(), "b", 2, 9 * S)
        for i in range(3):
            seq = writer.offer("1", block(two, i * 500, 500, (9 + i) * S))
        await stored(seq)
        writer.offer("1", Command("c-2", 12 * S, "1", "nurse", "discharge"))
        for i in range(3):
            writer.offer("1", SampleBlock(two, (3 + i) * 500, (12 + i) * S, 2e6, walk(500, i), (13 + i) * S))
        await writer.stop()
        return path, counts

    return make


ABSENT = 2**31 - 1


def expected_grid(counts: np.ndarray) -> np.ndarray:
    """Where every sample of the session stands in the file: 12 s at 500 Hz."""
    grid = np.full((3, 6000), ABSENT, np.int32)
    grid[:, :4000] = counts[:, :4000]
    grid[:, 2000:2100] = ABSENT
    grid[:, 4500:6000] = counts[:, 4000:5500]
    return grid


@pytest.mark.parametrize("form", ["edf", "bdf"])
async def test_every_count_is_in_the_file_at_its_place_and_what_is_missing_is_said(recorded, tmp_path, form):
    path, counts = await recorded(scale=1 if form == "edf" else 3000)
    found = ask(path, lambda r: session(r, NAME))
    to = tmp_path / f"out.{form}"
    assert write_edf(path, found, to, form) == 3 * (4000 - 100 + 1500)
    file = (edfio.read_edf if form == "edf" else edfio.read_bdf)(to)
    expected = expected_grid(counts)
    for signal, row in zip(file.signals, expected, strict=True):
        np.testing.assert_array_equal(signal.digital, np.where(row == ABSENT, signal.digital_range[0], row))
        assert signal.digital_range[0] < row[row != ABSENT].min()
    assert [s.label for s in file.signals] == ["ECG I", "ECG II", "ECG V1"]
    assert {(s.sampling_frequency, s.physical_dimension) for s in file.signals} == {(500.0, "mV")}
    present = expected[0] != ABSENT
    np.testing.assert_allclose(
        file.signals[0].data[present],
        ((counts[0][:5500] - 3) * 0.005)[np.r_[:2000, 2100:4000, 4000:5500]],
        rtol=1e-6,
        atol=0.0005,  # a tenth of a count
    )
    notes = [(a.onset, a.duration, a.text) for a in file.annotations]
    assert (4.0, 0.2, "missing: noise") in notes
    assert {(2.0, None, "rhythm: AFIB"), (2.0, None, "event: PAUSE"), (3.0, None, "alarm: hr_high")} <= set(
        notes
    )
    assert file.startdate == dt.date(2025, 1, 8)
    assert file.starttime.replace(microsecond=0) == dt.time(12, 34, 56)
    assert (file.patient.code, file.patient.name.replace("_", " "), file.patient.sex) == (
        "MRN-1",
        "John Doe",
        "M",
    )
    assert file.patient.birthdate == dt.date(1980, 1, 9)
    assert file.recording.equipment_code == "ECG-7711-0045"


def raw_edf(data: bytes) -> tuple[dict[str, np.ndarray], float]:
    """Digital samples by label and seconds of a data record, read by the letter of the EDF specification (Kemp 1992)."""
    n, seconds, signals = int(data[236:244]), float(data[244:252]), int(data[252:256])
    at = 256

    def column(width: int) -> list[str]:
        nonlocal at
        found = [data[at + i * width : at + (i + 1) * width].decode("ascii").strip() for i in range(signals)]
        at += signals * width
        return found

    labels = column(16)
    for width in (80, 8, 8, 8, 8, 8, 80):
        column(width)
    sizes = [int(text) for text in column(8)]
    column(32)
    assert at == int(data[184:192])
    records = np.frombuffer(data[at:], "<i2").reshape(n, sum(sizes))
    edges = np.cumsum([0, *sizes])
    return {
        name: records[:, a:b].ravel() for name, a, b in zip(labels, edges, edges[1:], strict=False)
    }, seconds


async def test_a_reader_that_is_not_ours_reads_the_same(recorded, tmp_path):
    path, counts = await recorded()
    to = tmp_path / "out.edf"
    write_edf(path, ask(path, lambda r: session(r, NAME)), to, "edf", end_s=4.0, named=False)
    found, seconds = raw_edf(to.read_bytes())
    assert (list(found), seconds) == (["ECG I", "ECG II", "ECG V1", "EDF Annotations"], 1.0)
    for name, row in zip(found, counts, strict=False):
        np.testing.assert_array_equal(found[name], row[:2000])
    assert to.read_bytes()[192:197] == b"EDF+C"
    assert b"Doe" not in to.read_bytes()[:300]


async def test_what_does_not_fit_16_bits_is_refused_and_says_what_to_take(recorded, tmp_path):
    path, _ = await recorded(scale=3000)
    with pytest.raises(NotExportable, match="take bdf"):
        write_edf(path, ask(path, lambda r: session(r, NAME)), tmp_path / "out.edf", "edf")


async def test_a_part_of_a_session(recorded, tmp_path):
    path, counts = await recorded()
    write_edf(
        path, ask(path, lambda r: session(r, NAME)), tmp_path / "out.edf", "edf", start_s=1.0, end_s=3.0
    )
    file = edfio.read_edf(tmp_path / "out.edf")
    np.testing.assert_array_equal(np.array([s.digital for s in file.signals]), counts[:, 500:1500])
    with pytest.raises(NotExportable, match="nothing in this span"):
        write_edf(path, ask(path, lambda r: session(r, NAME)), tmp_path / "no.edf", "edf", start_s=99.0)


async def test_as_the_seeds_json_lines(recorded, tmp_path, capsys):
    path, counts = await recorded()
    config = tmp_path / "vitald.toml"
    config.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}/run"\n')
    to = tmp_path / "out.jsonl"
    assert main(["session", "export", NAME, "--format", "jsonl", "-o", str(to), "--config", str(config)]) == 0
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert (lines[0]["type"], lines[0]["user"]["full_name"]) == ("session_start", "Jöhn Doe")
    ends = [i for i, line in enumerate(lines) if line["type"] == "session_end"]
    assert lines[ends[0]]["summary"]["duration_seconds"] == 12
    assert {line.get("session_id") for line in lines} == {NAME}
    assert [line["timestamp"] for line in lines if line["type"] == "metrics_update"] == [
        f"2025-01-08T12:34:{56 + i}.000Z" if i < 4 else f"2025-01-08T12:35:0{i - 4}.000Z" for i in (0, 1, 2, 3, 5, 6, 7)
    ]  # fmt: skip
    windows = [line for line in lines if line["type"] == "ecg_waveform"]
    assert max(w["duration_seconds"] for w in windows) <= 6
    assert list(windows[0]["leads"]) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1"]
    channel = ChannelOf(name="I", unit="mV", gain=0.005, offset=3.0)
    stored = np.concatenate([counts_of(w["leads"]["I"], channel) for w in windows])
    np.testing.assert_array_equal(stored, np.r_[counts[0, :2000], counts[0, 2100:5500]])


async def test_by_the_command_line(recorded, tmp_path, capsys):
    path, _ = await recorded()
    config = tmp_path / "vitald.toml"
    config.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}/run"\n')
    to = str(tmp_path / "out.edf")
    assert main(["session", "export", NAME, "-o", to, "--anonymous", "--config", str(config)]) == 0
    assert edfio.read_edf(to).patient.name == "X"
    assert main(["session", "export", "session_1", "-o", to, "--config", str(config)]) == 2
    assert "there is no session" in capsys.readouterr().err
    assert (
        main(["session", "export", NAME, "-o", str(tmp_path / "no" / "x.edf"), "--config", str(config)]) == 1
    )
