"""A patient's stay at a running box, by the command line: sessions, what is told of them, and a crash in between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from benchmarks._box import Box
from daemon.cli import main
from daemon.model.outgoing import Lane
from daemon.store import outbox
from daemon.store.reader import ask


@pytest.fixture
def vitald(tmp_path, capsys):
    """`vitald session ... --json` at a running box: exit code and answer."""

    def run(box: Box, *arguments: str):
        capsys.readouterr()
        code = main(["session", *arguments, "--json", "--config", str(box.config)])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.startswith("{") else None

    return run


def until(condition: Callable[[], object], within_s: float = 30.0):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError("did not come about in time")


@pytest.mark.slow
def test_a_stay_from_admission_over_a_crash_to_discharge(tmp_path, vitald):
    with Box(tmp_path) as box:
        until(lambda: (answer := vitald(box, "list"))[0] == 0 and answer[1]["sessions"])
        code, admitted = vitald(box, "admit", "1", "--name", "John Doe", "--age", "45")
        assert (code, admitted["saved"]) == (0, True)
        until(lambda: ask(box.database, lambda r: outbox.heads(r))[Lane.METRICS] > 10)
        before = time.monotonic()
        until(lambda: time.monotonic() - before > 5)
        box.kill("daemon")
        box.start_daemon()
        until(lambda: (answer := vitald(box, "list"))[0] == 0 and len(answer[1]["sessions"]) == 3)
        code, left = vitald(box, "discharge", "1")
        assert (code, left["patient_id"]) == (0, "")
        assert vitald(box, "discharge", "1")[0] == 2
        _, told = vitald(box, "list")
        box.stop("daemon")

    newest, after, crashed, first = told["sessions"]
    assert told["patients"] == []
    assert [s["ended_by"] for s in (newest, after, crashed, first)] == ["", "discharge", "crash", "person"]
    assert [s["full_name"] for s in (newest, after, crashed, first)] == [None, "John Doe", "John Doe", None]
    assert crashed["session_id"] == admitted["session"]
    assert crashed["summary"]["duration_seconds"] > 3
    assert crashed["summary"]["total_heartbeats"] > 3
    events = ask(box.database, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 1000))
    said = [(m.message.removeprefix("box.session_"), m.session) for m in events if "session" in m.message]
    names = [s["session_id"] for s in (first, crashed, after, newest)]
    assert said == [(what, name) for name in names for what in ("start/1", "end/1")]
    waves = ask(box.database, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10000))
    assert {m.session for m in waves} | {names[-1]} == set(
        names
    )  # the last was shorter than a chunk, perhaps
    numbers = ask(box.database, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10000))
    assert {m.session for m in numbers} <= {*names, ""}
