"""The page of reports before the daemon's real rows and a worker that notes what it is asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from daemon import audit
from daemon.config import Config, Destination, Forward
from daemon.control.acting import middleware
from daemon.control.reports import (
    JobsTold,
    ReportAsked,
    ReportGiven,
    ReportJob,
    ReportRoutes,
    UploadGiven,
    UploadsGiven,
)
from daemon.model.signals import Command
from daemon.reporting import Reporting
from daemon.store.box import BoxFile, ask_box
from daemon.store.reader import History, ask
from daemon.store.recorded import sessions
from daemon.store.writer import Writer
from daemon.words import say
from tests.webui._feeder import Feeder
from tests.webui._signed import Roles
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

S = 10**9
BEGAN_NS = 1_772_000_000 * S
PATIENT = {"patient_id": "P-25", "full_name": "Ada Żak", "birth_date": "1954-05-06"}


def given(number: int, **changes) -> ReportGiven:
    report = f"00000000-0000-4000-8000-{number:012d}"
    told = {
        "id": report, "session": f"session_{number}", "bed": "1", "kind": ("ecg", "session", "night", "oxygen")[number % 4],
        "state": "preliminary", "made_utc_ns": BEGAN_NS + number * S, "about_utc_ns": BEGAN_NS, "actor": "Nurse Ada",
        "automatic": number % 2 == 0, "patient": {"patient_id": f"P-{number}", "full_name": "Ada Żak", "birth_date": "1954-05-06"},
        "file": f"ecg_report_{report}.pdf", "size": 120_000, "sha256": "0" * 64, "pages": 1,
        "made": ({"key": "sinus_rhythm", "text": "Sinus rhythm"}, {"key": "low_voltage", "text": "Low voltage"}),
    }  # fmt: skip
    return ReportGiven.model_validate({**told, **changes})


class House:
    """A box with 25 reports; `asked` is what its worker was asked for."""

    def __init__(self, folder: Path) -> None:
        to = {"cloud": Destination(kind="folder"), "archive": Destination(kind="folder")}
        self.config = Config(
            box={"run": folder / "run", "data": folder, "name": "test box"}, web={"port": 0}, beds={"1": {}},
            forward=Forward(destinations=to),
        )  # fmt: skip
        self.config.box.run.mkdir()
        self.asked: list[ReportAsked] = []
        self.site = ""
        self.session = ""  # of the newest report, the one that was recorded

    async def begin(self, request):
        asked = ReportAsked.model_validate_json(await request.read())
        self.asked.append(asked)
        return web.json_response(
            text=ReportJob(job="j", state="running", asked=asked, progress=0.4).model_dump_json()
        )

    async def jobs(self, _request):
        jobs = tuple(ReportJob(job="j", state="running", asked=one, progress=0.4) for one in self.asked[-1:])
        return web.json_response(text=JobsTold(jobs=jobs).model_dump_json())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory) -> AsyncIterator[House]:
    made = House(tmp_path_factory.mktemp("reports"))
    config, now = made.config, time.time_ns
    writer = Writer(config.box.database, boot="boot-1", now=now, utc_offset_ns=0, commit_every_s=0.02)
    people = BoxFile(config.box.people)
    await writer.start()
    writer.offer(
        "1", Command("admit-0001", now(), "1", "nurse", "admit", (("patient", json.dumps(PATIENT)),))
    )
    async with asyncio.timeout(20):
        while not (recorded := ask(config.box.database, lambda reader: sessions(reader))):
            await writer.aside(lambda _: None)
    made.session = recorded[0].name
    reporting = Reporting(
        writer,
        people,
        History(config.box.database),
        boot="boot-1",
        now=now,
        utc=lambda: (now(), True),
        upload="never",
    )
    for number in range(1, 25):
        assert not (await reporting.given(given(number))).refused
    assert not (await reporting.given(given(25, session=made.session))).refused
    word = {"file": given(25).file, "destination": "cloud", "utc_ns": BEGAN_NS, "size": 120_000}
    away = {**word, "destination": "archive", "state": "waiting", "tries": 4, "error": "no answer in time"}
    await reporting.uploads(
        UploadsGiven(uploads=(UploadGiven(**word, state="done", remote="report_12"), UploadGiven(**away)))
    )
    (config.box.data / "reports").mkdir()
    (config.box.data / "reports" / given(25).file).write_bytes(b"%PDF-1.7 25")

    worker = web.Application()
    worker.router.add_post("/reports", made.begin)
    worker.router.add_get("/reports", made.jobs)
    runner = web.AppRunner(worker, shutdown_timeout=0.1)
    await runner.setup()
    config.work_socket.parent.mkdir(parents=True, exist_ok=True)
    await web.UnixSite(runner, str(config.work_socket)).start()
    feeder = Feeder(config.box.socket)
    feeder.more.append(lambda app: app.middlewares.append(middleware(Roles())))
    feeder.more.append(ReportRoutes(reporting).add_to)
    await feeder.start()
    async with serving(config) as site:
        made.site = site.address
        yield made
    await feeder.stop()
    await runner.cleanup()
    await writer.stop()
    await people.close()


async def listed(page, number, until):
    await until(page, f"d.reports === '{number}'", 30)


async def test_reports_are_listed_found_and_turned_over(house, page, until):
    await page.goto(house.site + "reports")
    await listed(page, 20, until)
    first = page.locator("#list > li").first
    await expect(first).to_contain_text("Ada Żak")
    await expect(first).to_contain_text("P-25 · 1954-05-06")
    await expect(first).to_contain_text("Sinus rhythm · Low voltage")
    await expect(first).to_contain_text(say("reports.state.preliminary"))
    await expect(first).to_contain_text("uploaded 1/2")
    await expect(page.locator("#list-summary")).to_have_text("Reports: 25")
    await page.click("#older")
    await listed(page, 5, until)
    await expect(page.locator("#older")).to_be_disabled()
    await page.click("#newer")
    await listed(page, 20, until)
    await page.fill("#filter [name=find]", "p-17")
    await listed(page, 1, until)
    await page.fill("#filter [name=find]", "")
    await page.select_option("#filter [name=kind]", "night")
    await listed(page, 6, until)
    log = page.locator("#log tbody tr")
    await expect(log).to_have_count(2)
    await expect(log.filter(has_text="archive")).to_contain_text("waiting: no answer in time")
    await expect(log.filter(has_text="cloud")).to_contain_text("report_12")


async def test_a_report_is_asked_for_and_its_progress_is_shown(house, page, until):
    house.asked.clear()
    await page.goto(f"{house.site}reports?bed=1&session={house.session}")
    await until(page, "d.reports === '1'", 30)
    await expect(page.locator("#make [name=session]")).to_have_value(house.session)
    await page.select_option("#make [name=kind]", "ecg")
    await page.select_option("#make [name=layout]", "6x2")
    await page.click("#make button[type=submit]")
    await expect(page.locator("#jobs progress")).to_be_visible()
    (asked,) = house.asked
    assert (asked.session, asked.kind, asked.layout, asked.signing) == (house.session, "ecg", "6x2", None)
    assert asked.actor  # whoever has signed in, whatever the page says
    house.asked.clear()


async def test_confirming_needs_two_identifiers_which_the_box_compares(house, page, until):
    """By keyboard alone: one identifier, a wrong one, two that fit; then the statements."""
    house.asked.clear()
    await page.goto(f"{house.site}reports?session={house.session}")
    await until(page, "d.reports === '1'", 30)
    key = page.get_by_role("button", name=say("reports.confirm.open"))
    await key.press("Enter")
    identity, note = page.locator(".identity"), page.locator(".identity [role=alert]")
    await expect(identity.get_by_role("textbox", name=say("identity.patient_id"))).to_be_focused()
    await page.keyboard.type("P-25", delay=80)  # slower than a scanner
    await page.keyboard.press("Enter")
    await expect(note).to_have_text(say("identity.few"))
    await identity.locator("[name=birth_date]").fill("1954-06-05")
    await identity.locator("[name=birth_date]").press("Enter")
    await expect(note).to_have_text(say("identity.wrong", which=say("identity.birth_date")))
    await page.keyboard.press("Escape")
    await expect(identity).to_have_count(0)
    await expect(key).to_be_focused()

    await key.press("Enter")
    await page.keyboard.type("P-25", delay=80)  # slower than a scanner
    await identity.locator("[name=full_name]").fill("zak ada")  # as it is typed from a wristband
    await page.keyboard.press("Enter")
    dialog = page.locator("#confirm")
    for identifier in ("Ada Żak", "P-25", "1954-05-06"):
        await expect(dialog).to_contain_text(identifier)
    await expect(dialog).to_contain_text(f"{say('identity.patient_id')}, {say('identity.full_name')}")
    await expect(page.locator("#confirm-lines")).to_be_focused()
    await page.fill("#confirm-lines", "Normal ECG\n\n  Compare with the last one ")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    async with asyncio.timeout(20):
        while not house.asked:
            await asyncio.sleep(0.02)
    (asked,) = house.asked
    assert asked.signing.of == given(25).id
    assert asked.signing.lines == ("Normal ECG", "Compare with the last one")
    assert asked.actor
    house.asked.clear()
    (wrong,) = [
        one
        for one in ask_box(house.config.box.people, lambda db: audit.entries(db))
        if one["act"] == "report_identifiers_wrong"
    ]
    assert (wrong["actor"], wrong["subject"], wrong["body"]["wrong"]) == (
        "Nora Clinician",
        "P-25",
        ["birth_date"],
    )


@pytest.mark.parametrize(
    ("role", "status"), [("nurse", 403), ("viewer", 403), ("technician", 403), ("clinician", 200)]
)
async def test_only_who_may_confirm_can(house, role, status):
    cookies, origin = {"vitald": role}, {"Origin": house.site.rstrip("/")}
    async with aiohttp.ClientSession(cookies=cookies) as session:
        path = f"{house.site}api/reports/{given(25).id}/confirm"
        async with session.post(path, json={"lines": None}, headers=origin) as answer:
            assert answer.status == status
        path = f"{house.site}api/reports/{given(25).id}/identifiers"
        async with session.post(path, json={"identifiers": {"patient_id": "P-25"}}, headers=origin) as answer:
            assert answer.status == status
    house.asked.clear()


async def test_a_file_is_handed_out_with_an_entry_in_the_audit(house):
    async with aiohttp.ClientSession(cookies={"vitald": "nurse"}) as session:
        async with session.get(f"{house.site}reports/{given(25).id}.pdf") as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (
                200,
                "application/pdf",
                b"%PDF-1.7 25",
            )
            assert "Żak" not in answer.headers["Content-Disposition"]
            assert answer.headers["Cache-Control"] == "no-store"
        for name in (given(24).id, "..%2f..%2fvitald.db", "x", "00000000-0000-4000-8000-999999999999"):
            async with session.get(f"{house.site}reports/{name}.pdf") as answer:
                assert answer.status in {404, 503}
    entries = ask_box(house.config.box.people, lambda db: audit.entries(db))
    assert ("report_opened", "P-25") in {(one["act"], one["subject"]) for one in entries}


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_is_readable_and_can_be_hit(house, page, until, findings, width):
    await page.set_viewport_size({"width": width, "height": 800 if width == 1280 else 844})
    await page.goto(house.site + "reports")
    await listed(page, 20, until)
    assert await page.evaluate(findings) == []
    await page.get_by_role("button", name=say("reports.confirm.open")).first.click()
    await expect(page.locator(".identity")).to_be_visible()
    assert await page.evaluate(findings) == []
    assert await page.evaluate("() => document.activeElement.closest('dialog') !== null")
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
