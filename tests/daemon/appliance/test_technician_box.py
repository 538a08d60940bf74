"""A technician at a running box: nothing is found on one that is well, and what is broken for real is named with its remedy."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import time
import zipfile
from contextlib import closing

import pytest

from benchmarks._box import Box
from daemon.appliance.capture import read
from daemon.cli import main

pytestmark = pytest.mark.slow

NAME = "Zaubermann"
"""Planted wherever a person can write it: it must be nowhere in what leaves the box."""


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A box that is well, with a canary in every place that takes text."""
    folder = tmp_path_factory.mktemp("box")
    folder.chmod(0o700)
    box = Box(folder)
    text = box.config.read_text().replace("Box under test", f"Box of {NAME}").replace("Bed 1", f"Bed {NAME}")
    box.config.write_text(f"# {NAME} has set this up\n{text}\n[beds.{NAME}]\nname = 'second bed'\n")
    box.config.chmod(0o640)
    try:
        box.start_simulators()
        box.start_daemon()
        box.start_web()
        box.start_worker()
        until(lambda: streams(box))
        until(lambda: "SILENT" not in said(box, "status")[1])
        yield box
    finally:
        for name in list(box.processes):
            box.stop(name)


def until(holds, within_s=100.0):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.3)


def said(box, *arguments):
    """Exit code and output of a verb."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main([*arguments, "--config", str(box.config)])
    return code, out.getvalue()


def streams(box):
    _, out = said(box, "status", "--json")
    beds = json.loads(out).get("beds", [])
    return any(d["state"] == "streaming" for bed in beds for d in bed["devices"])


OF_THE_MACHINE = {"disk.slow", "disk.low", "memory.low", "memory.pressure", "daemon.behind", "daemon.dropped"}
"""What a machine that runs many tests at once is rightly told."""


def findings(box, *more):
    code, out = said(box, "doctor", "--json", "--quick", *more)
    told = {f["id"]: f for check in json.loads(out)["checks"] for f in check["findings"]}
    assert code == (1 if told else 0)
    assert all(f["remedy"] for f in told.values())
    return {identity: f for identity, f in told.items() if identity not in OF_THE_MACHINE}


def test_a_box_that_is_well_is_told_so_and_nothing_else(box):
    code, out = said(box, "doctor", "--json")
    checks = json.loads(out)["checks"]
    told = {f["id"] for check in checks for f in check["findings"]}
    assert told <= OF_THE_MACHINE
    assert (code == 0) == (not told)
    assert [check["number"] for check in checks] == list(range(1, len(checks) + 1))
    if not told:
        assert said(box, "doctor", "--quick")[1].splitlines()[-1] == "All is well."


def test_the_screen_says_what_is_there_and_no_name(box):
    code, out = said(box, "status")
    assert code == (1 if "!" in out else 0), out
    assert "ecg Sending (nobody is admitted)" in out
    assert "500 Hz" in out or "499." in out or "500." in out
    assert "Until data are given up that no cloud has: waveforms" in out
    assert "First to go: " in out

    code, out = said(box, "status", "--json")
    told = json.loads(out)
    assert told["technical"]["health"]["tick_age_s"] < 3
    assert told["technical"]["admitted"]["1"] is False
    assert {one["kind"] for one in told["technical"]["hours_left"]} == {"waveform", "numbers", "alarms"}


def test_a_port_that_the_daemon_holds_is_captured_from_it_and_decoded(box, tmp_path):
    port, file = box.folder / "ports" / "ttyECG0", tmp_path / "ecg.cap"
    code, _ = said(box, "capture", str(port), "--seconds", "2", "-o", str(file))
    assert code == 0
    captured = read(file.read_bytes())
    assert captured.about["kind"] == "dm_ecg"
    assert not captured.cut_off
    assert 0 <= captured.arrivals[0][0] < 1e9 < captured.arrivals[-1][0] < 60e9
    assert file.stat().st_mode & 0o777 == 0o600

    assert main(["decode", str(file), "--summary"]) == 0
    assert streams(box), "the daemon has gone on"


def test_the_port_that_is_held_is_shown_with_its_holder(box):
    code, out = said(box, "devices", "--probe", "--json")
    assert code == 0
    ours = next(one for one in json.loads(out) if one["port"].endswith("ttyECG0"))
    assert box.pid("daemon") in [holder["pid"] for holder in ours["held_by"]]


def test_faults_that_are_caused_are_named_and_go_when_they_are_mended(box):
    box.steer("ecg unplug")
    until(lambda: "ports.missing" in findings(box))
    box.steer("ecg plug ttyECG0")
    until(lambda: streams(box))

    box.stop("worker")
    found = findings(box)
    assert list(found) == ["processes.silent"]
    assert "systemctl restart vitald-worker" in found["processes.silent"]["remedy"]
    box.start_worker()
    until(lambda: findings(box) == {})

    box.stop("web")
    assert "vitald-web" in findings(box)["processes.silent"]["remedy"]
    box.start_web()

    box.database.chmod(0o644)
    assert findings(box)["files.too_open"]["remedy"] == f"chmod o-rwx {box.database}"
    box.database.chmod(0o640)
    until(lambda: findings(box) == {})


def admit(box):
    code, _ = said(box, "session", "admit", "1", "--name", f"{NAME} Anna", "--phone", "0170-5551234")
    assert code == 0


def test_what_leaves_the_box_holds_no_planted_name(box, tmp_path):
    admit(box)
    port = box.folder / "ports" / "ttyECG0"
    code, out = said(box, "capture", str(port), "--seconds", "1", "-o", str(tmp_path / "no.cap"))
    assert code == 1, "a patient is admitted"
    assert "a patient is admitted" in out
    code, out = said(box, "factory-reset", "--name", f"Box of {NAME}")
    assert code == 1
    assert box.database.exists()
    for log in ("daemon", "web", "worker"):
        with (box.folder / f"{log}.log").open("a") as file:
            file.write(f"ERROR daemon.main: {NAME} failed\nINFO daemon.main: listening on /home/{NAME}\n")
            file.write(f"ValueError: {NAME}\n{NAME}\n")
    (box.folder / f"{NAME}.log").write_text(f"INFO daemon.main: {NAME}\n")

    code, _ = said(box, "support-bundle", "--quick", "-o", str(tmp_path / "bundle.zip"))
    assert code == 0
    parts = opened(tmp_path / "bundle.zip")
    canaries(parts)
    manifest = json.loads(parts["manifest.json"])
    assert set(manifest["files"]) == set(parts) - {"manifest.json"}
    assert manifest["left_out"]
    assert json.loads(parts["state.json"])["beds"]["bed 1"]["admitted"] is True
    log = parts["logs/daemon.log"].decode()
    assert "INFO daemon.main: listening on (…)" in log
    assert "ERROR daemon.main: (…)" in log
    assert "ValueError: (…)" in log


def test_the_minutes_around_an_alarm_are_a_page_that_needs_nothing_else(box, tmp_path):
    box.steer("ecg electrode V4 off")
    until(lambda: alarms(box))
    (occurrence,) = alarms(box)[:1]

    code, _ = said(
        box, "support-bundle", "--incident", occurrence, "--minutes", "0.5", "-o", str(tmp_path / "i.zip")
    )
    assert code == 0
    parts = opened(tmp_path / "i.zip")
    canaries(parts)
    page = parts["incident.html"].decode()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page
    assert "src=" not in page.replace("default-src", "")
    assert "electrode_off" in page
    raw = next(data for name, data in parts.items() if name.startswith("raw/"))
    assert raw.count(b"\n") > 500
    assert parts["filtered.csv"].startswith(b"lead,s,mV\n")
    box.steer("ecg electrode V4 on")
    code, _ = said(box, "support-bundle", "--incident", "nothing:1", "-o", str(tmp_path / "n.zip"))
    assert code == 2


def alarms(box):
    with closing(sqlite3.connect(f"file:{box.database}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT body ->> '$.occurrence' FROM events WHERE kind = 'alarm' AND body ->> '$.kind' = 'began'"
            " AND body ->> '$.row' = 'electrode_off'"
        )
        return [occurrence for (occurrence,) in rows]


def opened(path):
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as made:
        return {name: made.read(name) for name in made.namelist()}


def canaries(parts):
    for name, data in parts.items():
        assert NAME.lower() not in (name + data.decode("utf-8", "replace")).lower(), name
        assert "5551234" not in data.decode("utf-8", "replace"), name
        assert not name.endswith((".db", ".db-wal"))


def test_a_daemon_that_died_and_a_database_that_was_overwritten(box):
    """The last: the box does not come back from it here."""
    box.kill("daemon")
    found = findings(box)
    assert "systemctl restart vitald" in found["daemon.silent"]["remedy"]
    code, out = said(box, "status")
    assert code == 1
    assert out.startswith("the daemon does not answer")

    with closing(sqlite3.connect(box.database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with box.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 65536)
    code, out = said(box, "doctor", "--json")
    told = {f["id"] for check in json.loads(out)["checks"] for f in check["findings"]}
    assert {"daemon.silent", "store.damaged"} <= told

    code, out = said(box, "factory-reset", "--name", f"Box of {NAME}")
    assert code == 1, "the patient is still here, by the database"
    with closing(sqlite3.connect(box.folder / "data" / "box.db")) as db:
        db.execute("UPDATE stays SET discharged_utc_ns = 1, discharged_by = 'x'")
        db.commit()
    assert said(box, "factory-reset", "--name", "another box")[0] == 2
    assert box.database.exists()
    assert said(box, "factory-reset", "--name", f"Box of {NAME}")[0] == 0
    assert [path.name for path in (box.folder / "data").iterdir() if path.suffix != ".lock"] == []
    assert box.config.exists()


def test_a_loudspeaker_whose_process_does_not_run_is_missed(tmp_path):
    silent = Box(tmp_path, sound=("null", {}))
    tmp_path.chmod(0o700)
    silent.config.chmod(0o640)
    try:
        silent.start_simulators()
        silent.start_daemon()
        until(lambda: "sound.silent" in findings(silent))
        assert "systemctl restart vitald-sound" in findings(silent)["sound.silent"]["remedy"]
    finally:
        for name in list(silent.processes):
            silent.stop(name)
