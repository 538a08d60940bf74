"""The page of patient and sessions before the real control server, the real store and the real box.db."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Self

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.control.occupant import PatientState
from daemon.control.server import Server
from daemon.control.sessions import SessionRoutes
from daemon.model.findings import Beat, BeatClass, Evidence
from daemon.model.signals import Channel, Command, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.patients import Patient, Patients
from daemon.sessions import Sessions
from daemon.store.acknowledged import Acknowledged
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.store.writer import Writer
from daemon.words import say
from tests.webui._signed import Roles
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

S = 10**9
RR_MS = 800.0  # 75 bpm
TICK_S = 0.25


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class House:
    """A daemon as its socket shows it, with bed 1: hub, store, box.db and sessions are real, the ECG is ten beats."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.hub = LiveHub(
            boot="boot-1", version="0.1.0", box="b", demo=True, utc_ms=lambda: time.time_ns() // 10**6,
            beds=[("1", "1", DisplayState(mode="monitor", mains_hz=50, cleaning=False))],
        )  # fmt: skip
        self.watch = Watch(
            "1", lambda own, first: AlarmEngine(Limits(own=own), boot="boot-1", first=first), _fail
        )
        self.hub.watch("1", self.watch)

    async def __aenter__(self) -> Self:
        acknowledged, database = Acknowledged(), self.folder / "vitald.db"
        self.writer = Writer(
            database, boot="boot-1", now=boot_ns, utc_offset_ns=time.time_ns() - boot_ns(),
            commit_every_s=0.02, on_saved=acknowledged.hear, about={"os": "linux", "app_version": "1.0"},
        )  # fmt: skip
        self.file = BoxFile(self.folder / "box.db")
        sessions = Sessions(
            ("1",), Patients(self.file), History(database), now=boot_ns, utc=lambda: (time.time_ns(), True),
            obey=self._obey, saved=acknowledged.wait, changed=self._occupy,
        )  # fmt: skip
        await self.writer.start()
        for bed, occupant in (await sessions.restore()).items():
            self.writer.occupied(bed, occupant)
        self._beats()
        ready = asyncio.Event()
        server = Server(self.hub, lambda _act: None, more=[SessionRoutes(sessions), Roles()], known=Roles())
        self.tasks = [
            asyncio.create_task(server.run(self.folder / "control.sock", ready.set)),
            asyncio.create_task(self._time()),
        ]
        await ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.writer.stop()
        await self.file.close()

    def _beats(self) -> None:
        channel = Channel("II", Quantity.ECG, "mV", 0.005)
        began = boot_ns() - 9 * S
        segment = Segment("s-1", "1", Stream("ECG-1", "ecg", 500.0, (channel,)), "boot-1", 1, began)
        beats = [
            Beat(t, t, i * 400, BeatClass.VENTRICULAR if i == 5 else BeatClass.NORMAL, RR_MS, Evidence("s-1", i, i + 1, "qrs/1"))
            for i in range(10)
            for t in [began + round(i * RR_MS * 1e6) + 1]
        ]  # fmt: skip
        counts = np.zeros((1, 4500), np.int32)
        self.writer.offer("1", SampleBlock(segment, 0, began, 2e6, counts, began + 9 * S), beats)

    async def _time(self) -> None:
        while True:
            tick = Tick(boot_ns())
            self.hub.publish("1", tick, (), self.watch.step(tick, ()))
            await asyncio.sleep(TICK_S)

    def _obey(self, command: Command) -> None:
        self.writer.offer(command.bed, command)

    def _occupy(self, bed: str, patient: Patient | None) -> None:
        known = patient and {
            name: getattr(patient, name) for name in ("patient_id", "full_name", "age", "gender")
        }
        self.hub.occupy(bed, PatientState(**known) if known else None)


def _fail(error: Exception) -> None:
    raise error


@pytest_asyncio.fixture(loop_scope="session")
async def address(tmp_path, config_for) -> AsyncIterator[str]:
    async with House(tmp_path), serving(config_for(tmp_path)) as site:
        yield site.address


async def test_a_patient_comes_is_recorded_and_goes(address: str, page: Page, until, findings) -> None:
    await page.goto(f"{address}bed/1/sessions")
    await until(page, "d.sessions === '1' && d.link === 'live'")
    await expect(page.locator("#patient .who")).to_have_text(say("patient.none"))
    await expect(page.locator("#now .goes")).to_contain_text("goes on since")
    assert await page.evaluate(findings) == []

    await page.focus("[name=full_name]")
    await page.keyboard.type("John <b>Doe")
    await page.fill("[name=patient_id]", "P-17")
    await page.fill("[name=age]", "45")
    await page.keyboard.press("Enter")
    await expect(page.locator("#look .name")).to_have_text("John <b>Doe")
    await page.keyboard.press("Enter")  # looked at: its key has the focus
    await expect(page.locator("#patient .who")).to_have_text("John <b>Doe · 45 y · P-17", timeout=12_000)
    await expect(page.locator("#note")).to_have_text(say("sessions.done.admit"))
    await expect(page.locator("#admission")).to_be_hidden()
    before = page.locator("#list tbody tr").last
    cells = await before.locator("td").all_inner_texts()
    assert [cells[i].split("\n")[0] for i in (0, 3, 4, 5)] == [
        "–",  # noqa: RUF001 - nobody was there
        "10",
        "75",
        say("arrhythmia.PVC"),
    ]
    assert say("sessions.ended.person") in cells[1]

    bed = await page.context.new_page()
    await bed.goto(f"{address}bed/1")
    await expect(bed.locator("#patient .who")).to_have_text("John <b>Doe · 45 y · P-17")
    await bed.set_viewport_size({"width": 390, "height": 844})
    assert await bed.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await bed.close()

    await page.click("#now [data-verb=start]")
    await expect(page.locator("#note")).to_have_text(say("sessions.done.start"))
    await page.click("#discharge")
    await expect(page.locator("#discharge-ask p")).to_contain_text("Discharge John <b>Doe?")
    assert await page.evaluate(findings) == []
    await page.keyboard.press("Enter")  # the second touch: its key has the focus
    await expect(page.locator("#patient .who")).to_have_text(say("patient.none"), timeout=12_000)
    await expect(page.locator("#list tbody tr").first.locator("td").nth(1)).to_contain_text(
        "discharge", timeout=12_000
    )
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate(findings) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_what_is_refused_is_said_and_what_was_typed_stays(address: str, page: Page, until) -> None:
    await page.goto(f"{address}bed/1/sessions")
    await until(page, "d.sessions === '1'")
    await page.fill("[name=full_name]", "Jane Doe")
    await page.fill("[name=birth_date]", "2999-01-01")
    await page.click("#admit")
    await page.click("#look-yes")
    await expect(page.locator("#note")).to_have_text("Not done: birth_date is yet to come")
    assert await page.input_value("[name=full_name]") == "Jane Doe"


async def test_without_the_box_nobody_is_claimed_to_be_there(page: Page, site: str, until) -> None:
    await page.goto(f"{site}bed/1/sessions")  # a box that knows nothing of sessions
    await until(page, "d.sessions === 'silent'")
    await expect(page.locator("#patient .who")).to_have_text(say("patient.unknown"))
    await expect(page.locator("#list-summary")).to_have_text(say("sessions.unavailable"))
    await expect(page.locator("#now [data-verb=start]")).to_be_disabled()
