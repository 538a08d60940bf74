"""A real 12-lead record over the wire arrives in the store sample for sample, and its twelve leads are on the page."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
import wfdb

from benchmarks._box import Box
from daemon.main import boot_id
from daemon.store.reader import ask

pytestmark = [pytest.mark.recordings, pytest.mark.browser, pytest.mark.slow]

LEADS = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]


def as_board_counts(folder):
    """PTB s0010_re as a DM-ECG would have digitised it: 1000 to 500 Hz, 1423 counts per mV, 12 bits. Read by wfdb itself."""
    record = wfdb.rdrecord(str(folder / "ptbdb" / "s0010_re"))
    places = [[name.lower() for name in record.sig_name].index(lead.lower()) for lead in LEADS]
    return record.p_signal[:, places]


def stored(database, n, within_s=15.0):
    """The stored counts of the one device, once at least `n` samples are there."""
    boot, deadline = boot_id(), time.monotonic() + within_s
    while True:
        traces = ask(database, lambda reader: reader.read(boot, 0, 2**62))
        if sum(t.counts.shape[1] for t in traces) >= n:
            return traces
        assert time.monotonic() < deadline, [t.counts.shape for t in traces]
        time.sleep(0.2)


def test_ptb_arrives_sample_for_sample_and_its_leads_are_on_the_page(tmp_path, recordings, page):
    mv = as_board_counts(recordings)
    box = Box(tmp_path, source=str(recordings / "ptbdb" / "s0010_re"))
    # The board begins to play when it is told to start: the daemon listens first, then asks.
    with box:
        page.goto(box.url)
        page.wait_for_selector("#waves[data-stalled=false]", timeout=10_000)
        page.wait_for_selector("#heart-rate[data-state=live]", timeout=20_000)
        lanes = [e.get_attribute("data-lead") for e in page.query_selector_all(".lane")]
        page.screenshot(path=tmp_path / "ptb.png")
        box.processes["simulators"].wait(60)  # it ends with the recording
        assert box.stop("daemon") == 0
        [trace] = stored(box.database, 19_000)

    counts = trace.counts
    expected = np.clip(np.rint(mv[::2] * 1423), -2048, 2047).astype(np.int64) + 2048
    n = counts.shape[1]
    assert len(lanes) == 13
    with closing(sqlite3.connect(box.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert n >= 19_190
    assert np.array_equal(expected[:n].T, counts)
