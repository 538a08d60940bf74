"""A stored recording to report on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from daemon.control.reports import ReportAsked
from daemon.model.ids import uuid7
from daemon.model.signals import Quantity
from daemon.reports.__main__ import make
from daemon.reports.job import Box, Job
from firmware_bridge.recordings import open_recording
from tests.daemon.reports import _recorded


@pytest.fixture(scope="session")
def ptb(tmp_path_factory, recordings) -> tuple[Path, str]:
    """24 s of PTB s0010_re through the analysis of the bed: the store, and the session's name."""
    recording = open_recording(recordings / "ptbdb" / "s0010_re")
    rows = [i for i, c in enumerate(recording.channels) if c.quantity is Quantity.ECG][:12]
    stream = _recorded.stream_of(
        recording.rate_hz, recording.channels[0].gain, [recording.channels[i].name for i in rows]
    )
    path = tmp_path_factory.mktemp("ptb") / "vitald.db"
    return path, asyncio.run(_recorded.write(path, stream, recording.counts(0, 24_000)[rows]))


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> tuple[Path, str]:
    """Fourteen seconds of sines, not analysed, of a patient whose name is in Arabic; a concentrator beside it."""
    t = np.arange(14 * 250) / 250
    mv = np.sin(2 * np.pi * (1 + 0.25 * np.arange(12))[:, None] * t)
    path = tmp_path_factory.mktemp("plain") / "vitald.db"
    patient = {**_recorded.PATIENT, "full_name": "محمد بن سلمان  " + "W" * 60}
    gas = [
        _recorded.Reading(
            "1", "O2-7", "o2_purity", 95.0 if s < 7 else 80.0, "%", _recorded.BEGAN_NS + s * 10**9, ""
        )
        for s in range(14)
    ]
    name = asyncio.run(
        _recorded.write(
            path,
            _recorded.stream_of(250.0),
            np.rint(mv / 0.001),
            patient=patient,
            analysed=False,
            readings=gas,
        )
    )
    return path, name


@pytest.fixture
def report(tmp_path):
    """Makes a report here: its row as handed to the daemon, what was drawn, and the file."""

    def made(stored, kind="ecg", box=None, signed=None, **asked):
        path, name = stored
        utc_ns = time.time_ns()
        job = Job(
            id=uuid7(utc_ns), utc_ns=utc_ns, asked=ReportAsked(session=name, kind=kind, actor="N. Urse", **asked),
            database=path, folder=tmp_path, box=Box(serial="BOX-1", **(box or {})), signed=signed,
        )  # fmt: skip
        given, drawn = make(job)
        return given, drawn, tmp_path / given.file

    return made
