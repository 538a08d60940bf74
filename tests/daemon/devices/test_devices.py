"""A person sets a device, or puts it to another bed: what the device says is what counts, and all of it is in the audit."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from daemon import audit
from daemon.devices.acts import DeviceActs
from daemon.devices.attached import AttachedDevices
from daemon.devices.homes import Homes
from daemon.devices.maintenance import Maintenance
from daemon.model.signals import (
    Command,
    DeviceReply,
    DeviceSeen,
    DeviceStatus,
    Fact,
    LinkState,
    Reading,
    Settable,
)
from daemon.store import proposals
from daemon.store.box import BoxFile

UTC_NS = 1_700_000_000 * 10**9  # 2023-11-14
PRESSURE = Settable("target_pressure", "cmH2O", 4.0, 20.0, 0.2)
SEEN = DeviceSeen(
    *("1", "cpap", "vlp", "VT-30", "CPAP-1", "1.0", "/dev/ttyUSB0", LinkState.STREAMING, 0, 0),
    settable=(PRESSURE,),
)


class Ward:
    """Devices whose answers a test decides."""

    def __init__(self, path) -> None:
        self.answer: tuple[bool, str] | None = (True, "")
        self.asked: list[tuple] = []
        self.homes: dict[str, str] = {}
        self.file = BoxFile(path)
        self.devices = AttachedDevices(self.ask, lambda: UTC_NS)
        self.said: list = []
        self.clock = (UTC_NS, True)
        self.maintenance = Maintenance(
            self.file, self.devices.bed_of, self.said.append, now=lambda: 5, utc=lambda: self.clock
        )
        self.acts = DeviceActs(
            self.file,
            self.devices,
            Homes(self.file, ("1", "2"), lambda homes: self.homes.update(homes)),
            self.maintenance,
            ("1", "2"),
            lambda: (UTC_NS, True),
        )
        self.devices.hear(SEEN)

    @property
    def facts(self):
        return [one for one in self.said if isinstance(one, Fact)]

    @property
    def shown(self):
        """What screens show as the day of maintenance: (bed, day) each time that it is said."""
        return [(one.bed, one.text) for one in self.said if isinstance(one, DeviceStatus)]

    def ask(self, bed, device, request, name, value):
        self.asked.append((bed, device, name, value))
        if self.answer is not None:
            ok, text = self.answer
            self.devices.hear(DeviceReply(bed, device, request, ok=ok, text=text, t_ns=1))

    async def act(self, verb="set_device", bed="1", **values):
        count = len(self.asked) + len(self.homes) + int(asyncio.get_running_loop().time() * 1e6)
        told = {"device": "CPAP-1", "name": "target_pressure", "value": "10", **values}
        return await self.acts.obey(Command(f"act-{count}", 0, bed, "AK", verb, tuple(told.items())))

    async def audited(self):
        return await self.file.run(lambda db: audit.entries(db))


@pytest.fixture
async def ward(tmp_path):
    ward = Ward(tmp_path / "box.db")
    yield ward
    await ward.file.close()


async def test_a_setting_is_done_when_the_device_says_so(ward):
    assert await ward.act() == ""

    assert ward.asked == [("1", "CPAP-1", "target_pressure", 10.0)]
    assert ward.devices.present("CPAP-1") == {"target_pressure_cm_h2o": 10.0}
    assert [(e["actor"], e["act"], e["subject"], e["body"]["refused"]) for e in await ward.audited()] == [
        ("AK", "set_device", "CPAP-1", "")
    ]


async def test_the_devices_refusal_is_told_in_its_words_and_kept(ward):
    ward.answer = (False, "mask off")

    assert await ward.act() == "The device refused: mask off"
    assert (await ward.audited())[0]["body"]["refused"] == "The device refused: mask off"
    assert ward.devices.present("CPAP-1") == {}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"value": "20.2"}, "Choose 4 to 20 cmH2O in steps of 0.2."),
        ({"value": "10.1"}, "Choose 4 to 20 cmH2O in steps of 0.2."),
        ({"value": "nan"}, "Choose 4 to 20 cmH2O in steps of 0.2."),
        ({"value": "high"}, "Choose a number."),
        ({"name": "ramp"}, "The device has no setting ramp."),
        ({"device": "CPAP-2"}, "The device is not attached."),
        ({"bed": "2"}, "The device is not attached."),
    ],
)
async def test_what_cannot_be_is_refused_before_the_device_hears_of_it(ward, values, told):
    assert await ward.act(**values) == told
    assert ward.asked == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (replace(SEEN, state=LinkState.STALLED), "The device is silent. Nothing was set."),
        (replace(SEEN, settable=()), "CPAP-1 is read-only: it takes no settings from here."),
        (
            DeviceStatus("1", "CPAP-1", "alarm_code", "E7", 0),
            "The device shows an alarm (E7). See to it first; nothing was set.",
        ),
    ],
)
async def test_a_device_that_cannot_be_trusted_with_it_is_not_asked(ward, said, told):
    ward.devices.hear(said)

    assert await ward.act() == told
    assert ward.asked == []


async def test_no_answer_is_no_success(ward, monkeypatch):
    monkeypatch.setattr("daemon.devices.attached.ANSWERED_WITHIN_S", 0.05)
    ward.answer = None

    assert await ward.act() == "The device has not confirmed. Look at it: whether it was set is not known."


async def test_how_a_device_is_set_is_what_it_says_itself(ward):
    ward.devices.hear(Reading("1", "CPAP-1", "cpap_set_pressure", 8.4, "cmH2O", 0))
    ward.devices.hear(Reading("1", "CPAP-1", "cpap_humidity", 3.0, "1", 0))

    assert ward.devices.present("CPAP-1") == {"target_pressure_cm_h2o": 8.4, "humidity_level": 3}
    assert ward.devices.settable("CPAP-1") == ["target_pressure_cm_h2o"]


async def test_a_device_belongs_to_the_bed_that_it_was_put_to(ward, tmp_path):
    assert await ward.act("assign_device", to="2") == ""
    assert ward.homes == {"CPAP-1": "2"}
    assert (await ward.audited())[0]["act"] == "assign_device"

    again: dict[str, str] = {}
    await Homes(ward.file, ("1", "2"), again.update).restore()
    fewer: dict[str, str] = {}
    await Homes(ward.file, ("1",), fewer.update).restore()
    assert (again, fewer) == ({"CPAP-1": "2"}, {})


async def test_only_a_bed_of_this_box_and_a_device_that_is_here(ward):
    assert await ward.act("assign_device", to="9") == "There is no bed 9."
    assert await ward.act("assign_device", device="X", to="2") == "The device is not attached."
    assert ward.homes == {}


async def test_a_disk_that_fails_does_not_keep_a_device_from_its_bed(ward, monkeypatch):
    async def fails(work):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(ward.file, "run", fails)

    told = await ward.act("assign_device", to="2")

    assert told.startswith("The device was put to the bed, but the box could not keep it")
    assert ward.homes == {"CPAP-1": "2"}


async def due(ward, value, day_later=0):
    ward.clock = (UTC_NS + day_later * 86_400 * 10**9, True)
    told = await ward.act(name="maintenance_due_date", value=value)
    return told, [(fact.state.value, fact.detail, fact.bed) for fact in ward.facts]


async def test_maintenance_is_said_on_its_day_and_not_before(ward):
    assert await due(ward, "2023-11-15") == ("", [])

    ward.clock = (UTC_NS + 86_400 * 10**9, True)
    await ward.maintenance.look()
    await ward.maintenance.look()

    assert [(f.state.value, f.detail, f.bed) for f in ward.facts] == [("failed", "CPAP-1: 2023-11-15", "1")]
    assert ward.asked == [], "it is the box's own: the device hears nothing of it"


async def test_the_next_day_ends_the_reminder(ward):
    assert await due(ward, "2023-11-01") == ("", [("failed", "CPAP-1: 2023-11-01", "1")])
    _, told = await due(ward, "2024-11-01")

    assert told[-1] == ("ok", "", "1")


async def test_a_cloud_that_wishes_a_day_is_heard_as_a_person_is(ward):
    def wished(db):
        proposals.propose(db, "cloud", "CPAP-1", "maintenance_due_date", "2023-11-02", UTC_NS)
        [one] = proposals.proposals(db, "CPAP-1")
        proposals.move(db, one.id, proposals.ProposalState.APPLIED)

    await ward.file.run(wished)
    await ward.maintenance.look()

    assert [f.detail for f in ward.facts] == ["CPAP-1: 2023-11-02"]


async def test_an_unset_clock_says_nothing_and_no_date_is_refused(ward):
    ward.clock = (0, False)
    assert await ward.act(name="maintenance_due_date", value="2023-11-01") == ""
    assert ward.facts == []
    assert await ward.act(name="maintenance_due_date", value="soon") == "Choose a day, as 2026-01-15."


async def test_the_day_is_shown_where_the_device_is_and_again_where_it_goes(ward):
    await due(ward, "2024-02-01")
    await ward.maintenance.look()
    assert ward.shown == [("1", "2024-02-01")]
    ward.devices.hear(replace(SEEN, bed="2"))
    await ward.maintenance.look()
    assert ward.shown[1:] == [("2", "2024-02-01")]
    await ward.act(bed="2", name="maintenance_due_date", value="")
    assert ward.shown[2:] == [("2", "")]
    assert [entry["act"] for entry in await ward.audited()] == ["set_device", "set_device"]
