"""New firmware for devices: who may, when, what is checked, what becomes of it, and that all of it is in the audit."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

import pytest

from daemon import audit
from daemon.control.firmware import FirmwareAct, FirmwareWished
from daemon.devices.firmware import Firmwares
from daemon.model.signals import DeviceReply
from daemon.model.transfer import Transfer
from daemon.store.box import BoxFile, ask_box
from daemon.store.firmware import JobState, everything

OXY = "OXY-8844-5521"
IMAGE = b"VLPFWIMG2.0" + bytes(500)
DIGEST = hashlib.sha256(IMAGE).hexdigest()
UTC_NS = 1_767_225_600 * 10**9


@dataclass
class Bench:
    """A device at bed 1. `breaks`: how often the link breaks while it is sent to; `healthy`: whether new firmware works."""

    version: str = "1.0"
    takes: bool = True
    healthy: bool = True
    breaks: int = 0
    refuses: str = ""
    there: bool = True
    said: list[str] = field(default_factory=list)
    before: str = ""

    def bed_of(self, serial: str) -> str | None:
        return "1" if serial == OXY else None

    def answering(self) -> dict[str, str]:
        return {OXY: "1"} if self.there and (self.healthy or not self.before) else {}

    def takes_firmware(self, serial: str) -> bool:
        return serial == OXY and self.takes

    def firmware(self, serial: str) -> str:
        return self.version if serial == OXY else ""

    async def transfer(self, serial: str, transfer: Transfer, _within_s: float) -> DeviceReply | None:
        self.said.append(transfer.verb)
        reply = DeviceReply("1", serial, "r", ok=True, text="", t_ns=0)
        match transfer.verb:
            case "send" if self.breaks:
                self.breaks -= 1
                return DeviceReply("1", serial, "r", ok=False, text="device_gone", t_ns=0)
            case "send" if self.refuses:
                return DeviceReply("1", serial, "r", ok=False, text=self.refuses, t_ns=0)
            case "send":
                transfer.done = len(transfer.image)
            case "start":
                self.before, self.version = self.version, "2.0"
            case "keep":
                self.before = ""
            case "back":
                self.version, self.before = self.before, ""
        return reply


@pytest.fixture
async def box(tmp_path):
    file = BoxFile(tmp_path / "box.db")
    yield file
    await file.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / f"{DIGEST}.bin").write_bytes(IMAGE)
    return tmp_path / "firmware"


async def no_time(_seconds: float) -> None:
    """Time passes at once."""


def firmwares(box, folder, bench=None, here=()) -> Firmwares:
    return Firmwares(
        box, bench or Bench(), folder, here=lambda: here, utc=lambda: (UTC_NS, True), sleep=no_time
    )


def wished(**given) -> FirmwareWished:
    known = {
        "origin": "ward",
        "device": OXY,
        "job": "j1",
        "version": "2.0",
        "size": len(IMAGE),
        "sha256": DIGEST,
    }
    return FirmwareWished(**{**known, "staged": True, **given})


async def act(of: Firmwares, verb="accept", **given):
    known = {"id": str(uuid.uuid4()), "verb": verb, "device": OXY, "origin": "ward"}
    return await of.act(FirmwareAct(**{**known, **given}), "Tom Technician")


async def ended(of: Firmwares):
    for task in list(of._running.values()):
        await task
    return of.told().jobs[0]


async def test_it_is_offered_when_its_file_is_here_then_sent_started_and_kept(box, folder, tmp_path):
    bench = Bench()
    one = firmwares(box, folder, bench)
    assert (await one.hear(wished(staged=False))).state == "queued"
    assert (await one.hear(wished())).state == "offered"
    assert (await act(one)).acted
    told = await ended(one)
    assert (told.state, told.running, told.decided_by) == ("done", "2.0", "Tom Technician")
    assert bench.said == ["send", "start", "keep"]
    assert (await one.hear(wished())).state == "done", "the same job again is not done again"
    rows = ask_box(tmp_path / "box.db", lambda db: audit.found(db, audit.Filter(subject=OXY)))
    acts = [(entry.act, entry.actor) for _, entry in reversed(rows)]
    assert acts == [
        ("firmware_queued", "ward"),
        ("firmware_offered", "ward"),
        ("firmware_accepted", "Tom Technician"),
        ("firmware_sending", "ward"),
        ("firmware_done", "ward"),
    ]


@pytest.mark.parametrize(
    ("given", "state", "why"),
    [
        ({"sha256": "0" * 64}, "failed", "not here"),
        ({"size": 3}, "failed", "size or hash differ"),
        ({"size": 0}, "refused", "contract"),
        ({"size": 9 << 20}, "refused", "contract"),
        ({"version": ""}, "refused", "contract"),
        ({"staged": False, "failed": "its SHA-256 is another one"}, "failed", "SHA-256"),
    ],
)
async def test_what_is_not_right_is_not_offered_and_says_why(box, folder, given, state, why):
    one = firmwares(box, folder)
    told = await one.hear(wished(**given))
    assert told.state == state
    assert why in told.reason
    assert not (await act(one)).acted


async def test_a_file_that_was_changed_after_it_was_offered_is_not_sent(box, folder):
    bench = Bench()
    one = firmwares(box, folder, bench)
    await one.hear(wished())
    (folder / f"{DIGEST}.bin").write_bytes(IMAGE[:-1] + b"x")
    assert "hash differ" in (await act(one)).error
    assert bench.said == []


async def test_a_device_that_is_read_only_is_refused(box, folder):
    one = firmwares(box, folder, Bench(takes=False))
    told = await one.hear(wished())
    assert (told.state, "takes no firmware" in told.reason) == ("refused", True)


async def test_nothing_is_sent_while_a_patient_is_admitted_and_it_stays_offered(box, folder):
    here = {"1"}
    bench = Bench()
    one = firmwares(box, folder, bench, here)
    await one.hear(wished())
    assert "patient is admitted" in (await act(one)).error
    assert bench.said == []
    here.clear()
    assert (await act(one)).acted
    assert (await ended(one)).state == "done"


async def test_a_patient_who_is_admitted_on_the_way_stops_it_before_it_starts(box, folder):
    here: set[str] = set()
    bench = Bench()
    one = firmwares(box, folder, bench, here)
    await one.hear(wished())
    await act(one)
    here.add("1")
    told = await ended(one)
    assert (told.state, bench.said) == ("failed", ["send"])
    assert "patient is admitted" in told.reason


async def test_a_broken_link_is_waited_out(box, folder):
    bench = Bench(breaks=3)
    one = firmwares(box, folder, bench)
    await one.hear(wished())
    await act(one)
    assert (await ended(one)).state == "done"
    assert bench.said == ["send"] * 4 + ["start", "keep"]


async def test_a_device_that_stays_away_ends_it(box, folder):
    bench = Bench(breaks=1)
    one = firmwares(box, folder, bench)
    await one.hear(wished())
    await act(one)
    bench.there = False
    told = await ended(one)
    assert (told.state, told.running) == ("failed", "1.0")


async def test_what_the_device_refuses_is_told_in_its_words(box, folder):
    one = firmwares(box, folder, Bench(refuses="not for this device"))
    await one.hear(wished())
    await act(one)
    told = await ended(one)
    assert (told.state, told.reason) == ("failed", "not for this device")


async def test_firmware_that_does_not_work_is_taken_back(box, folder):
    bench = Bench(healthy=False)
    one = firmwares(box, folder, bench)
    await one.hear(wished())
    await act(one)
    told = await ended(one)
    assert (told.state, told.running) == ("rolled_back", "1.0")
    assert bench.said == ["send", "start", "back"]
    assert "1.0 again" in told.reason


async def test_a_technician_may_say_no_and_a_cloud_may_withdraw(box, folder):
    one = firmwares(box, folder)
    await one.hear(wished())
    assert (await act(one, "refuse")).acted
    assert (await one.hear(wished())).state == "refused"
    assert (await one.hear(wished(job="j2"))).state == "offered", "another job is another question"
    assert (await one.hear(FirmwareWished(origin="ward", device=OXY))).state == "withdrawn"
    assert not (await act(one)).acted


async def test_a_file_of_a_technician_is_offered_as_a_clouds_is(box, folder):
    one = firmwares(box, folder)
    assert (await act(one, "bring", origin="", version="2.0", sha256=DIGEST)).acted
    assert (await act(one, origin="")).acted
    assert (await ended(one)).state == "done"
    assert not (await act(one, "bring", device="OTHER", version="2.0", sha256=DIGEST)).acted
    assert not (await act(one, "bring", version="2.0", sha256="1" * 64)).acted


async def test_after_a_restart_what_was_under_way_is_offered_again(box, folder):
    one = firmwares(box, folder)
    await one.hear(wished())
    await one._move(next(iter(one._jobs.values())), JobState.SENDING)
    again = firmwares(box, folder)
    await again.restore()
    told = again.told().jobs[0]
    assert (told.state, "goes on where it was" in told.reason) == ("offered", True)
    assert [job.state for job in await box.run(everything)] == ["offered"]
