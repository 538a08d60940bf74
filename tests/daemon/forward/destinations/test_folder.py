"""Files and folders: names, what shares a file, power cuts, full disks, sticks."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.contracts.envelope import read_lines
from daemon.forward.destinations import DONE, Bounds, Verdict, folder
from daemon.forward.destinations.files import Content, check_report, report_name
from daemon.forward.destinations.folder import Folder, FolderOptions
from daemon.forward.destinations.kinds import make
from daemon.forward.destinations.place import Place
from daemon.forward.destinations.sealing import fitting, weight
from daemon.model.outgoing import Lane
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.cases import tree


@pytest.fixture
def there(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def seal(destination, some, number=1):
    return destination.seal(records.key(number), some[: destination.gather(some)])


# -- names and what shares a file ------------------------------------------------------------------------------


def test_a_name_says_what_and_whose_and_when_and_proves_itself(place, there):
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1), records.metrics(2)])
    digest = hashlib.sha256(sealed.data).hexdigest()[:8]

    assert sealed.path == f"ecg/ECG-12345/2025/01/08/metrics/{records.key(1)}-{digest}.ndjson.gz"
    assert sealed.data[4:8] == bytes(4)  # no time in the header of gzip: another day gives the same bytes


def test_records_of_several_devices_share_a_file_under_the_boxs_name(place, there):
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1), records.oxygen(2), records.metrics(3)])

    assert sealed.path.startswith(f"box/{records.BOX}/2025/01/08/metrics/")
    assert [e.device_serial for e in read_lines(gzip.decompress(sealed.data))] == [
        "ECG-12345",
        "OXY-8844-5521",
        "ECG-12345",
    ]


def test_a_file_ends_with_its_day(place, there):
    destination = make("folder", {"folder": there}, place)
    day = 24 * 3600
    some = [records.record(n, Lane.METRICS, "ecg.metrics/1", {}, t=n * day / 4) for n in range(1, 9)]

    assert destination.gather(some) == 1  # 18:34, then 00:34 of the next day
    assert destination.gather(some[1:]) == 4


def test_a_serial_number_is_one_part_of_a_path(place, there):
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1, device="../../etc/x y")])

    assert sealed.path.startswith("ecg/______etc_x_y/2025/")


def test_a_reports_name_leads_nowhere_else(place, there):
    record, _ = records.report(1, place)
    record.body["filename"] = "../../credentials/password"
    sealed = seal(make("folder", {"folder": there}, place), [record])

    assert sealed.file == str(place.reports / "password")


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(1, 80), st.integers(1024, 20_000))
def test_a_request_keeps_within_its_bounds(sizes, most, limit):
    """Bytes are those before compression, which are never fewer than those after."""
    bounds = Bounds(bytes=limit, records=most)
    some = [
        records.record(n, Lane.EVENTS, "box.event/1", {"x": "y" * size}) for n, size in enumerate(sizes, 1)
    ]
    n = fitting(some, bounds)

    assert 1 <= n <= min(len(some), most)
    assert n == 1 or sum(weight(record) for record in some[:n]) <= limit
    assert n == len(some) or n == most or sum(weight(record) for record in some[: n + 1]) > limit


def test_weight_is_never_less_than_the_line(place, there):
    destination = make("folder", {"folder": there, "named_patients": True}, place)
    report, _ = records.report(9, place)
    for record in [
        records.metrics(1),
        records.oxygen(2),
        records.waveform(3),
        records.waveform(3, noisy=True),
        records.session_start(4),
        records.session_end(5),
        records.alarm(6),
        report,
    ]:
        assert len(gzip.decompress(seal(destination, [record]).data)) <= weight(record)


# -- power cuts and full disks ---------------------------------------------------------------------------------


class Dead(BaseException):
    """The box has lost power here: nothing after this line happens."""


@pytest.mark.parametrize("stick", [False, True])
def test_cut_at_every_step_in_turn_what_has_its_name_is_whole(place, tmp_path, monkeypatch, stick):
    """Each read of a piece, sync, removal, move and new folder is the last thing that happens, one after the other."""
    report, _ = records.report(1, place, 1_000_000)
    step = 0
    while True:
        step += 1
        there = tmp_path / f"step-{step}"
        there.mkdir()
        (there / "vitald.marker").write_text("ward 3")
        destination = Folder(FolderOptions(folder=there, marker="ward 3" if stick else ""), place)
        sealed = seal(destination, [report])
        contents = [
            (report_name(sealed, check_report(Path(sealed.file), "")), check_report(Path(sealed.file), "")),
            (sealed.path, Content(len(sealed.data), hashlib.sha256(sealed.data).hexdigest(), sealed.data)),
        ]
        with monkeypatch.context() as patch:
            finished = _until(patch, step, destination, contents)
        _all_whole(there)
        _bring(destination, contents)
        _all_whole(there)

        assert sum(not name.startswith(("vitald", "manifest")) for name in map(_last, tree(there))) == 2
        if finished:
            break
    assert step > 15


def _bring(destination, contents):
    for name, content in contents:
        destination._put(name, content)


def _until(patch, step, destination, contents):
    """Do the work until the step of that number; whether it was done before."""
    left = [step]

    def dying(function):
        def call(*positional, **named):
            left[0] -= 1
            if left[0] <= 0:
                raise Dead
            return function(*positional, **named)

        return call

    def pieces(content, size=0):
        data = content.whole_before()
        for at in range(0, len(data), 300_000):
            dying(lambda: None)()
            yield data[at : at + 300_000]

    patch.setattr(Content, "whole_before", lambda c: c.data or c.file.read_bytes(), raising=False)
    patch.setattr(Content, "pieces", pieces)
    patch.setattr(folder.os, "fsync", dying(os.fsync))
    for name in ("rename", "unlink", "mkdir"):
        patch.setattr(Path, name, dying(getattr(Path, name)))
    try:
        _bring(destination, contents)
    except Dead:
        return False
    return True


def _last(name):
    return name.rpartition("/")[2]


def _all_whole(there):
    for name, data in tree(there).items():
        if not name.endswith((".part", "vitald.marker", "manifest.ndjson")):
            assert hashlib.sha256(data).hexdigest()[:8] == name.rpartition("-")[2].partition(".")[0]
        if name.endswith("manifest.ndjson"):
            for line in data.splitlines():
                said = json.loads(line)
                named = tree(there)[name.replace("manifest.ndjson", said["name"])]
                assert hashlib.sha256(named).hexdigest() == said["sha256"]


async def test_what_was_left_half_is_written_again(place, there):
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1)])
    path = there / sealed.path
    path.parent.mkdir(parents=True)
    path.with_name(path.name + ".part").write_bytes(b"half")
    path.write_bytes(b"")  # as a file system without a journal may leave it

    assert await destination.send(sealed) == DONE
    assert tree(there) == {sealed.path: sealed.data}


async def test_file_and_every_new_folder_are_synced_before_done(place, there, monkeypatch):
    synced, fsync = [], os.fsync

    def watched(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(folder.os, "fsync", watched)
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1)])
    await destination.send(sealed)
    parents = [str(p) for p in (there / sealed.path).parents if p == there or there in p.parents]

    assert synced[-2:] == [str(there / sealed.path) + ".part", str((there / sealed.path).parent)]
    assert set(parents) <= set(synced)


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (errno.ENOSPC, Verdict.WAIT),
        (errno.EDQUOT, Verdict.WAIT),
        (errno.EROFS, Verdict.PARKED),
        (errno.EACCES, Verdict.PARKED),
        (errno.EIO, Verdict.AGAIN),
        (errno.ENODEV, Verdict.AGAIN),
    ],
)
async def test_trouble_with_the_disk(place, there, monkeypatch, number, verdict):
    destination = make("folder", {"folder": there}, place)
    sealed = seal(destination, [records.metrics(1)])

    def fails(_handle):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(folder.os, "fsync", fails)
        outcome = await destination.send(sealed)

    assert outcome.verdict is verdict
    assert sealed.path not in tree(there)
    assert await destination.send(sealed) == DONE


async def test_a_folder_that_is_not_there_is_again(place, there):
    destination = make("folder", {"folder": there / "mount"}, place)
    sealed = seal(destination, [records.metrics(1)])
    outcome = await destination.send(sealed)
    (there / "mount").mkdir()

    assert outcome.verdict is Verdict.AGAIN
    assert await destination.send(sealed) == DONE


@pytest.mark.slow
async def test_a_disk_that_hangs_is_again_within_the_timeout(place, there):
    """A named pipe that nobody reads: opening it to write never returns, as on a dead network disk."""
    destination = make("folder", {"folder": there, "timeout_s": 0.2, "at_once": 2}, place)
    sealed = seal(destination, [records.metrics(1)])
    path = there / sealed.path
    path.parent.mkdir(parents=True)
    pipe = path.with_name(path.name + ".part")
    os.mkfifo(pipe)
    outcomes = [await destination.send(sealed) for _ in range(3)]  # more than there are threads

    assert [o.verdict for o in outcomes] == [Verdict.AGAIN] * 3
    with pipe.open("rb"):  # lets the writers go
        time.sleep(0.05)


# -- sticks ----------------------------------------------------------------------------------------------------

STICK = {"marker": "ward 3"}


async def test_a_stick_that_is_not_there_is_waited_for_and_a_foreign_one_refused(place, there):
    destination = make("folder", {"folder": there, **STICK}, place)
    sealed = seal(destination, [records.metrics(1)])
    none = await destination.send(sealed)
    (there / "vitald.marker").write_text("ward 4")
    foreign = await destination.send(sealed)
    (there / "vitald.marker").write_text("ward 3\n")

    assert (none.verdict, foreign.verdict) == (Verdict.AGAIN, Verdict.PARKED)
    assert set(tree(there)) == {"vitald.marker"}
    assert await destination.send(sealed) == DONE


async def test_the_manifest_names_every_file_once_and_last(place, there):
    (there / "vitald.marker").write_text("ward 3")
    destination = make("folder", {"folder": there, **STICK}, place)
    some = [seal(destination, [records.metrics(n)], n) for n in (1, 2, 3)]
    for sealed in [*some, *some]:
        assert await destination.send(sealed) == DONE
    folder = (there / some[0].path).parent
    lines = [json.loads(line) for line in (folder / "manifest.ndjson").read_text().splitlines()]

    assert [line["name"] for line in lines] == [sealed.path.rpartition("/")[2] for sealed in some]
    for line in lines:
        data = (folder / line["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (line["bytes"], line["sha256"])


async def test_a_torn_line_of_the_manifest_costs_that_line_alone(place, there):
    (there / "vitald.marker").write_text("ward 3")
    destination = make("folder", {"folder": there, **STICK}, place)
    one, two = (seal(destination, [records.metrics(n)], n) for n in (1, 2))
    await destination.send(one)
    manifest = (there / one.path).parent / "manifest.ndjson"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert await destination.send(one) == await destination.send(two) == DONE
    lines = manifest.read_text().splitlines()

    assert len(lines) == 3
    assert [json.loads(line)["name"] for line in lines[1:]] == [s.path.rpartition("/")[2] for s in (one, two)]


async def test_a_stick_that_gives_back_something_else_is_not_believed(place, there, monkeypatch):
    (there / "vitald.marker").write_text("ward 3")
    destination = make("folder", {"folder": there, **STICK}, place)
    sealed = seal(destination, [records.metrics(1)])
    digest = folder._digest
    with monkeypatch.context() as patch:
        patch.setattr(folder, "_digest", lambda path: "worn" if path.suffix == ".part" else digest(path))
        outcome = await destination.send(sealed)

    assert outcome.verdict is Verdict.AGAIN
    assert "reads back" in outcome.reason
    assert set(tree(there)) == {"vitald.marker"}
    assert await destination.send(sealed) == DONE


async def test_a_stick_is_known_by_its_file_system(place: Place, there, tmp_path):
    """Only a device node has the number of what is mounted; the names in the folder of disks are links to such."""
    disks = tmp_path / "by-uuid"
    disks.mkdir()
    options = FolderOptions(folder=there, filesystem_uuid="1A2B-3C4D")
    destination = Folder(options, place, disks)
    sealed = seal(destination, [records.metrics(1)])
    absent = await destination.send(sealed)
    (disks / "1A2B-3C4D").symlink_to("/dev/null")  # another device than the one mounted there
    another = await destination.send(sealed)

    assert (absent.verdict, another.verdict) == (Verdict.AGAIN, Verdict.AGAIN)
    assert tree(there) == {}
