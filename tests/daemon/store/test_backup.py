from __future__ import annotations

import asyncio
import fcntl
import io
import json
import sqlite3
import tarfile

import numpy as np
import pytest

from daemon import audit
from daemon.cli import main
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Tick
from daemon.patients import Patients, Signed, patient_of
from daemon.store import outbox
from daemon.store.backup import SEQS_SKIPPED, BadBackup, back_up, restore
from daemon.store.box import BoxFile, ask_box
from daemon.store.reader import ask

S = 10**9
ALWAYS = ("boot-1", -(2**62), 2**62)


async def people(folder) -> None:
    file = BoxFile(folder / "box.db")
    patients = Patients(file)
    await patients.restore({}, {})
    await patients.record_admission("1", patient_of({"full_name": "John"}, 0), Signed("a-1", "nurse", 0))
    await file.close()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}/run"\n')
    return path


async def test_what_was_stored_comes_back_bit_for_bit(tmp_path, running, line):
    counts = line.samples(2000)
    await people(tmp_path)
    async with running() as writer:
        writer.offer("1", line.block(0, counts))
    contents = back_up(tmp_path, tmp_path / "kept.tar", "1.0")
    assert set(contents.bytes) == {"vitald.db", "box.db"}
    into = tmp_path / "new"
    assert restore(tmp_path / "kept.tar", into)[1] == []
    (trace,) = ask(into / "vitald.db", lambda r: r.read(*ALWAYS))
    np.testing.assert_array_equal(trace.counts, counts)
    assert ask_box(into / "box.db", lambda db: (audit.broken_at(db), len(audit.entries(db)))) == (None, 1)
    assert (into / "vitald.db").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "kept.tar").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
async def test_a_backup_of_a_store_that_is_being_written_is_one_moment_of_it(
    path, tmp_path, running, line, saved
):
    """Ten backups while seconds are committed as fast as they go: each holds all that was saved when it began."""
    async with running(on_saved=saved, commit_every_s=0.001) as writer:
        stop = False

        async def write() -> None:
            first = 0
            while not stop:
                message = Outgoing(first, Lane.METRICS, "ecg.metrics/1", "ECG-1", {})
                block = line.block(first, line.samples(500))
                await saved.up_to(writer.offer("1", block, outgoing=[message]))
                first += 500

        writing = asyncio.create_task(write())
        await saved.until(lambda: len(saved) > 5)
        for i in range(10):
            known = max((s.samples.get("segment-1", 0) for s in saved), default=0)
            await asyncio.to_thread(back_up, tmp_path, tmp_path / f"{i}.tar", "1.0")
            await asyncio.to_thread(restore, tmp_path / f"{i}.tar", tmp_path / f"r{i}")
            (trace,) = ask(tmp_path / f"r{i}" / "vitald.db", lambda r: r.read(*ALWAYS))
            assert trace.counts.shape[1] >= known
            assert trace.present.all()
        stop = True
        await writing


async def test_what_was_there_is_moved_aside_and_the_message_numbers_go_on(path, tmp_path, running):
    async with running() as writer:
        writer.offer("1", Tick(S), outgoing=[Outgoing(S, Lane.METRICS, "ecg.metrics/1", "E", {"n": 1})])
    back_up(tmp_path, tmp_path / "kept.tar", "1.0")
    async with running() as writer:  # this one is lost with the restore; its number must not come again
        writer.offer(
            "1", Tick(2 * S), outgoing=[Outgoing(2 * S, Lane.METRICS, "ecg.metrics/1", "E", {"n": 2})]
        )
    identity, newest = ask(path, outbox.identity), ask(path, outbox.heads)[Lane.METRICS]
    _, aside = restore(tmp_path / "kept.tar", tmp_path)
    assert [p.name for p in aside] == ["vitald.db.before-1"]
    assert ask(aside[0], outbox.heads)[Lane.METRICS] == newest
    async with running() as writer:
        writer.offer(
            "1", Tick(3 * S), outgoing=[Outgoing(3 * S, Lane.METRICS, "ecg.metrics/1", "E", {"n": 3})]
        )
    assert ask(path, outbox.identity) == identity
    told = ask(path, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10))
    assert [(m.body["n"], m.seq > SEQS_SKIPPED) for m in told] == [(1, False), (3, True)]
    (event,) = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 10))
    assert (event.body["name"], newest < event.seq < told[1].seq) == ("restored", True)


@pytest.mark.parametrize("harm", ["cut", "bit", "garbage", "missing", "foreign", "other"])
async def test_a_backup_that_is_not_whole_changes_nothing(path, tmp_path, running, line, harm):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(500)))
    kept = tmp_path / "kept.tar"
    back_up(tmp_path, kept, "1.0")
    whole = kept.read_bytes()
    match harm:
        case "cut":
            kept.write_bytes(whole[: len(whole) // 2])
        case "bit":
            at = len(whole) // 2
            kept.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        case "garbage":
            kept.write_bytes(b"no tar" * 1000)
        case "missing" | "other":
            with tarfile.open(kept, "w") as tar:
                files = (
                    {} if harm == "missing" else {"vitald.db": {"sha256": ""}, "../../evil": {"sha256": ""}}
                )
                text = json.dumps({"made_at": "", "version": "", "files": files}).encode()
                entry = tarfile.TarInfo("manifest.json")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
        case "foreign":
            db = sqlite3.connect(tmp_path / "vitald.db")
            db.execute("PRAGMA user_version = 99")
            db.close()
            with pytest.raises(BadBackup, match="update vitald"):
                back_up(tmp_path, tmp_path / "no.tar", "1.0")
            assert not (tmp_path / "no.tar").exists()
            return
    before = path.read_bytes()
    with pytest.raises(BadBackup):
        restore(kept, tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith((".restore", ".backup"))] == []


def test_a_damaged_store_gives_no_backup(path, tmp_path):
    path.write_bytes(b"no database" * 1000)
    with pytest.raises((BadBackup, sqlite3.DatabaseError)):
        back_up(tmp_path, tmp_path / "kept.tar", "1.0")
    assert not (tmp_path / "kept.tar").exists()


async def test_by_the_command_line(path, tmp_path, running, config, capsys):
    async with running():
        pass
    kept = str(tmp_path / "kept.tar")
    assert main(["backup", kept, "--config", str(config)]) == 0
    assert "checked" in capsys.readouterr().out
    (tmp_path / "run").mkdir(exist_ok=True)
    with (tmp_path / "run" / "daemon.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["restore", kept, "--config", str(config)]) == 1
        assert "stop it first" in capsys.readouterr().out
    assert main(["restore", kept, "--config", str(config)]) == 0
    assert "vitald.db.before-1" in capsys.readouterr().out
    assert main(["restore", str(config), "--config", str(config)]) == 2
    assert main(["backup", str(tmp_path / "no" / "folder"), "--config", str(config)]) == 1
