"""Reports of errors: what is in them, what can never be, how many are kept and sent, and that every process makes them."""

from __future__ import annotations

import enum
import json
import logging
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from daemon.appliance import crash
from daemon.appliance.crash_queue import MOST_A_DAY, CrashQueue, body_of
from daemon.appliance.crash_report import of_end, of_error, report_of
from daemon.appliance.crash_spool import MOST_FILES, Spool
from daemon.config import load
from daemon.contracts.registry import heard
from daemon.model.actor import Actor, acts
from daemon.model.findings import Why
from daemon.model.permissions import Role
from daemon.model.signals import Fact, FactState
from daemon.store.box import BoxFile

HOUR_NS = 3600 * 10**9
CANARIES = ("Zbigniew Brzęczyszczykiewicz", "MRN-7734-1199", "1931-04-27", "+48 601 555 0199", "Lipowa 17")


class Named(BaseModel):
    age: int


def fails(*values: object) -> BaseException:
    """An error with these values in it, and in the locals of every frame of its way."""
    name = str(values[0]) if values else ""
    try:
        held = {name: values}
        raise RuntimeError(*values, held)  # noqa: TRY301 - its frame is what is looked at
    except RuntimeError as error:
        return error


def raised(work) -> BaseException:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError


def text_of(*errors: BaseException) -> str:
    return json.dumps([report.as_dict() for error in errors for report in of_error("daemon", error)])


def test_a_report_says_where_and_nothing_of_whom():
    report = of_error("daemon", fails(CANARIES[0], 45, Why.NOISE, None))[0]
    assert report.error_type == "RuntimeError"
    assert report.error_message == "<str 28>, <int>, Why.NOISE, None, <dict 1>"
    assert [frame.function for frame in report.frames] == ["fails"]
    assert report_of(json.loads(json.dumps(report.as_dict()))) == report
    assert of_error("web", fails("x"))[0].fingerprint != of_error("daemon", fails("x"))[0].fingerprint
    assert of_error("web", fails("x"))[0].fingerprint == of_error("web", fails("another"))[0].fingerprint


def planted(canary: str) -> list[BaseException]:
    """Errors of every make that hold it: in messages, keys, paths, SQL, JSON, groups, causes, notes, enums of others."""

    def duplicate() -> None:
        db = sqlite3.connect(":memory:")
        try:
            db.execute("CREATE TABLE patients (name TEXT PRIMARY KEY)")
            for _ in range(2):
                db.execute("INSERT INTO patients VALUES (?)", (canary,))
        finally:
            db.close()

    def caused() -> None:
        try:
            raise KeyError(canary)  # noqa: TRY301 - a cause
        except KeyError as error:
            error.add_note(canary)
            raise ValueError(f"no patient {canary}") from error

    other = enum.Enum("other", {"A": canary})
    return [
        raised(duplicate),
        raised(caused),
        raised(lambda: {}[canary]),
        raised(lambda: getattr(object(), f"x{canary}")),
        raised(lambda: Path("/nowhere", canary).read_bytes()),
        raised(lambda: json.loads(f'{{"name": "{canary}"')),
        raised(lambda: canary.encode("ascii") and int(canary)),
        raised(lambda: Named.model_validate({"age": canary, canary: 1})),
        raised(lambda: exec(canary, {})),  # noqa: S102 - a syntax error whose text is the name
        BaseExceptionGroup(canary, [fails(canary), ExceptionGroup(canary, [fails(canary, other.A)])]),
        type(f"X{canary}", (Exception,), {})(canary),
        fails(canary.encode(), [canary], {canary: canary}, other.A),
        raised(lambda: (_ for _ in ()).throw(OSError(canary))),
        UnicodeDecodeError("utf-8", canary.encode(), 0, 1, canary),
    ]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_planted_name_leaves(canary):
    text = text_of(*planted(canary))
    assert canary not in text
    for part in canary.replace("-", " ").split():
        assert part not in text or part.isdecimal(), part


@settings(max_examples=60)
@given(st.text(min_size=4, max_size=40).filter(lambda t: not t.isascii() or len(t) > 12))
def test_no_text_at_all_leaves(canary):
    text = text_of(fails(canary), KeyError(canary), ValueError(f"{canary}!"), OSError(canary))
    assert canary not in json.loads(text)[0]["error_message"]
    assert json.dumps(canary)[1:-1] not in text


def test_what_was_logged_is_told_without_its_words(tmp_path):
    watch = crash.Watch("daemon", tmp_path)
    record = logging.getLogRecordFactory()(
        "daemon.patients", logging.WARNING, "x.py", 7, "admitted %s", (CANARIES[0],), None
    )
    watch.steps.take(record)
    report = of_error("daemon", fails("x"), watch.steps.kept)[0]
    assert report.steps == (("daemon.patients", "WARNING", 7),)


def test_the_spool_is_bounded_and_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.appliance.crash_spool.os.fsync", lambda _: None)
    spool = Spool(tmp_path / "crash")
    for number in range(MOST_FILES + 20):
        spool.add(of_end("daemon", "ended", f"kind{number}", ""))
    again = of_end("daemon", "ended", "kind219", "")
    for _ in range(3):
        spool.add(again)
    assert len(spool.reports()) == MOST_FILES
    assert spool.report(again.fingerprint).count == 4
    assert list(spool.folder.glob("*.part")) == []
    (spool.folder / "0123456789abcdef.json").write_text("{ torn")
    assert len(spool.reports()) == MOST_FILES
    assert spool.report("../../etc/passwd") is None


def test_many_errors_of_one_kind_are_one_report_with_their_number(tmp_path):
    now = [100.0]
    watch = crash.Watch("daemon", tmp_path, clock=lambda: now[0])
    for _ in range(500):
        watch.hear(fails("x"))
    assert watch._queue.qsize() == 1
    now[0] += crash.WRITTEN_EVERY_S
    watch.hear(fails("x"))
    assert [watch._queue.get().count for _ in range(2)] == [1, 500]


def test_a_player_that_died_is_kept(tmp_path):
    watch = crash.Watch("daemon", tmp_path)
    for detail, state in (("ended 1", FactState.FAILED), ("no_device", FactState.FAILED), ("", FactState.OK)):
        watch.heard(Fact("sound", state, since_ns=0, t_ns=0, detail=detail))
    assert watch._queue.qsize() == 1
    assert watch._queue.get().error_type == "player ended"


def test_what_systemd_says_of_a_stop(tmp_path):
    (tmp_path / "daemon.running").write_text("boot 1")
    (tmp_path / "daemon.fault").write_text(
        "Fatal Python error: Aborted\n\nThread 0x00 (most recent call first):\n"
        f'  File "/usr/lib/{CANARIES[3]}/daemon/bedside.py", line 70 in push\n  File "/x/daemon/main.py", line 5 in run\n'
    )
    report = crash.stopped("vitald.service", "watchdog", "dumped", "ABRT", tmp_path)
    assert (report.process, report.error_type, report.error_message) == (
        "daemon",
        "watchdog",
        "dumped ABRT Aborted",
    )
    assert [(f.module, f.line) for f in report.frames] == [("daemon.main", 5), ("daemon.bedside", 70)]
    assert not (tmp_path / "daemon.running").exists()
    assert crash.stopped("vitald", "success", "exited", "0", tmp_path) is None
    assert crash.stopped(CANARIES[0], "watchdog", "", "", tmp_path) is None
    assert CANARIES[0] not in str(
        crash.stopped("vitald", "signal", CANARIES[0], CANARIES[0], tmp_path).as_dict()
    )


@pytest.fixture
async def file(tmp_path):
    opened = BoxFile(tmp_path / "box.db")
    yield opened
    await opened.close()


async def test_what_is_queued_is_the_contracts_and_limited(tmp_path, file):
    said = []
    clock = [time.time_ns() + HOUR_NS, True]
    queue = CrashQueue(
        spool := Spool(tmp_path / "crash"), file, said.append, now=lambda: 5, utc=lambda: tuple(clock)
    )
    for number in range(MOST_A_DAY + 5):
        spool.add(of_end("daemon", "ended", f"kind{number}", ""))
    clock[1] = False
    assert await queue.step() == 0  # a clock that cannot be believed limits nothing
    clock[1] = True
    assert [await queue.step() for _ in range(2)] == [MOST_A_DAY, 0]
    assert (await queue.told()).limited
    clock[0] += 25 * HOUR_NS
    assert await queue.step() == 5
    assert all((m.message, m.device) == ("box.error/1", "") for m in said)
    heard("box.error/1", said[0].body)
    # The same again goes once an hour, and only where it has come again.
    await file.run(lambda db: db.execute("DELETE FROM errors_sent"))
    for path in spool.folder.glob("*.json"):
        path.unlink()
    report = of_end("daemon", "ended", "again", "")
    spool.add(report)
    assert await queue.step() == 1
    clock[0] += 2 * HOUR_NS
    assert await queue.step() == 0
    row = {**report.as_dict(), "last_at": "2099-01-01T00:00:00Z"}
    (spool.folder / f"{report.fingerprint}.json").write_text(json.dumps(row))
    assert await queue.step() == 1
    assert (await queue.shown(report.fingerprint)).body == body_of(spool.report(report.fingerprint))
    assert await queue.shown("nothing") is None


async def test_an_error_of_an_act_says_nothing_of_who_acts(tmp_path):
    with acts(Actor(CANARIES[0], Role.NURSE, CANARIES[1])):
        assert CANARIES[0] not in text_of(fails("x"))


PLANT = """
import sys
sys.argv = ["vitald", {verb!r}, "--config", {config!r}]
{patch}
from daemon.cli import main
sys.exit(main())
"""
FAILS = "raise ValueError('{name}', {{'patient': '{name}'}})"
PATCHES = {
    "run": "import daemon.wallclock as m\nasync def f(self): import asyncio; await asyncio.sleep(0.3); " + FAILS
    + "\nm.WallClock.run = f",
    "web": "import webui.live as m\nasync def f(self): " + FAILS + "\nm.Relay.run = f",
    "work": "import daemon.worker as m\nasync def f(self, *a): " + FAILS
    + "\nimport contextlib\nm._until_stopped = f",
    "forward": "import daemon.forward.telling as m\nasync def f(self): " + FAILS + "\nm.Telling.run = f",
    "sound": "import daemon.signals.loudspeaker as m\ndef f(*a, **k): " + FAILS + "\nm.run_sound = f",
}  # fmt: skip


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "vitald.toml"
    path.write_text(
        f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[web]\nport = 0\n[beds.1]\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("verb", sorted(PATCHES))
def test_every_process_reports_what_nobody_caught(config, verb):
    """The real process, with a fault planted in it that holds a patient's name."""
    code = PLANT.format(verb=verb, config=str(config), patch=PATCHES[verb].format(name=CANARIES[0]))
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False, cwd=Path.cwd()
    )
    assert ended.returncode != 0, ended.stderr[-500:]
    (report,) = Spool(load(config).crash_data).reports()
    assert (report.process, report.error_type) == (crash.PROCESSES[verb], "ValueError")
    assert report.error_message == "<str 28>, <dict 1>"
    assert report.frames
    assert CANARIES[0].split()[0] not in json.dumps(report.as_dict())
    assert list(load(config).crash_data.glob("*.running")) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from daemon.appliance import crash
crash.watch("run", Path({folder!r}))
os.kill(os.getpid(), {signal})
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGABRT"])
def test_a_process_that_went_without_a_word_is_accounted_for_at_the_next_start(tmp_path, how):
    """SIGABRT is what systemd's watchdog sends: then there is a stack too."""
    code = KILLED.format(folder=str(tmp_path), signal=int(getattr(signal, how)))
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    again = KILLED.replace("os.kill(os.getpid(), {signal})", "").format(folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", again], capture_output=True, timeout=60, check=True)
    (report,) = Spool(tmp_path).reports()
    assert (report.process, report.kind) == ("daemon", "ended")
    assert report.error_type == {"SIGKILL": "killed", "SIGABRT": "Aborted"}[how]
    assert bool(report.frames) == (how == "SIGABRT")


@pytest.mark.parametrize(
    ("unit", "process"), [(unit, process) for unit, process in sorted(crash.UNITS.items())]
)
def test_what_a_unit_notes_of_a_bad_end_is_a_report_at_the_next_start_and_of_a_good_one_nothing(
    tmp_path, unit, process
):
    """The line of the unit itself, as systemd runs it."""
    text = (Path(__file__).parents[3] / f"systemd/{unit}.service").read_text()
    line = text.split("ExecStopPost=-", 1)[1].split("\n", 1)[0]
    words = shlex.split(line.replace("%p", unit).replace("/var/lib/vitald-crash", str(tmp_path)))
    words = [word.replace("$$", "$") for word in words]

    def ends(result, code, status):
        told = {"SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status}
        subprocess.run(words, env=told, check=False)
        return crash.noted(process, tmp_path)

    assert ends("success", "exited", "0") is None
    report = ends("watchdog", "killed", "ABRT")
    assert (report.process, report.kind, report.error_type) == (process, "stopped", "watchdog")
    assert report.error_message == "killed ABRT"
    assert crash.noted(process, tmp_path) is None, "once"
    (tmp_path / f"{unit}.stopped").write_text("\0 Zaubermann Anna")
    assert crash.noted(process, tmp_path) is None, "what systemd does not say is not told"


def test_threads_loops_and_finalizers_are_heard(tmp_path):
    """In a process of its own: the hooks are the process's."""
    code = f"""
import asyncio, threading, time
from pathlib import Path
from daemon.appliance import crash
crash.watch("run", Path({str(tmp_path)!r}))
class Odd(Exception): pass
def thread(): raise Odd("a")
one = threading.Thread(target=thread); one.start(); one.join()
class Leaves:
    def __del__(self): raise LookupError("b")
Leaves()
async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert {report.error_type for report in Spool(tmp_path).reports()} == {
        "__main__.Odd",
        "LookupError",
        "ZeroDivisionError",
    }


def test_a_disk_that_is_gone_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    watch = crash.Watch("daemon", tmp_path / "file" / "crash")
    watch._thread.start()
    watch.hear(fails("x"))
    watch.end()
    assert not watch._thread.is_alive()
