"""Settings, errors, the assistant, and an admission by scanner: as people use them, in the browser, on both sizes."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from daemon.appliance.crash_queue import CrashQueue
from daemon.appliance.crash_report import of_error
from daemon.appliance.crash_spool import Spool
from daemon.config import Config
from daemon.control.acting import middleware
from daemon.control.crashes import CrashRoutes
from daemon.control.sessions import (
    PatientsTold,
    PatientTold,
    SessionAct,
    SessionActed,
    SessionRoutes,
    SessionsTold,
)
from daemon.control.settings import SettingsRoutes
from daemon.forward.assistant import Assistant
from daemon.model.actor import Actor
from daemon.model.permissions import PEOPLE, Role
from daemon.settings import Settings
from daemon.store.box import BoxFile
from tests.webui._feeder import Feeder
from tests.webui.conftest import PHONE, TABLET, screen, until
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

JOHN = {
    "full_name": "John Doe",
    "gender": "Male",
    "address": "",
    "phone": "",
    "registration_date": "2025-01-08",
}
KNOWN = (
    PatientTold(patient_id="MRN-77", birth_date="1970-03-01", age=55, **JOHN),
    PatientTold(patient_id="MRN-78", birth_date="1931-04-27", age=94, **JOHN),
)
PICTURES = os.environ.get("VITALD_PICTURES", "")


class Known:
    """The cookie's value is the role."""

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor:  # noqa: ARG002 - as it is asked
        role = Role(held) if held in PEOPLE else Role.SCREEN
        return Actor(held, role, origin, f"id-{held}", bedside=bedside)


class Patients:
    """Patients and acts on them, as the daemon would tell and take them."""

    def __init__(self) -> None:
        self.acts: list[SessionAct] = []

    async def act(self, act: SessionAct) -> SessionActed:
        self.acts.append(act)
        return SessionActed(id=act.id, acted=True, saved=True)

    async def sessions(self, bed: str | None, patient: str | None, most: int) -> SessionsTold:  # noqa: ARG002 - none
        return SessionsTold()

    async def patients(self, find: str) -> PatientsTold:
        low = find.lower()
        return PatientsTold(
            patients=tuple(p for p in KNOWN if low and low in f"{p.full_name} {p.patient_id}".lower())
        )


class Box:
    """A box with settings, errors and patients; `site` its address."""

    site = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.patients = Patients()
        self.file = BoxFile(folder / "box.db")
        self.settings = Settings(self.file, {"1", "2"}, utc=lambda: (10**18, True), changed=lambda *_: None)
        spool = Spool(folder / "crash")
        try:
            raise LookupError("John Doe")  # noqa: TRY301 - as an error comes
        except LookupError as error:
            spool.add(of_error("daemon", error)[0])
        crashes = CrashQueue(spool, self.file, lambda _: None, now=lambda: 0, utc=lambda: (10**18, True))
        self.feeder = Feeder(folder / "control.sock", ("1", "2"))
        self.feeder.more = [
            lambda app: app.middlewares.append(middleware(Known())),
            SettingsRoutes(self.settings).add_to,
            CrashRoutes(crashes).add_to,
            SessionRoutes(self.patients).add_to,
        ]


async def model(request: web.Request) -> web.StreamResponse:
    """A model that answers well."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for piece in ("75 per minute <b>is</b> ", "a usual rate."):
        said = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        await response.write(f"data: {json.dumps(said)}\n\n".encode())
    await response.write(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    return response


@asynccontextmanager
async def served(app: web.Application, site_of: Any) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await site_of(runner).start()
    yield runner
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    made = Box(tmp_path)
    await made.settings.restore()
    await made.feeder.start()
    llm = web.Application()
    llm.router.add_post("/v1/chat/completions", model)
    async with served(llm, lambda r: web.TCPSite(r, "127.0.0.1", 0)) as runner:
        config = Config(
            box={"run": tmp_path, "data": tmp_path, "name": "test box"},
            web={"port": 0, "scanner_prefix": "~"},
            assistant={"kind": "openai", "url": f"http://127.0.0.1:{runner.addresses[0][1]}", "model": "m"},
            beds={"1": {"name": "Bed 1"}, "2": {"name": "Bed 2"}},
        )
        config.forward_socket.parent.mkdir()
        forward = web.Application()
        Assistant(config.assistant, tmp_path).add_to(forward)
        async with (
            served(forward, lambda r: web.UnixSite(r, str(config.forward_socket))),
            serving(config) as site,
        ):
            made.site = site.address
            yield made
    await made.feeder.stop()
    await made.file.close()


async def looked_at(page: Page, name: str, findings: str) -> None:
    """Nothing is wrong with it on either size; a picture of each where a folder is named."""
    for size, viewport in (("tablet", TABLET), ("phone", PHONE)):
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/{name}-{size}.png", full_page=True)
        assert await page.evaluate(findings) == [], (name, size)
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, (name, size)
    await page.set_viewport_size(TABLET)  # type: ignore[arg-type]


async def test_an_admin_sets_the_ward_and_pages_follow(browser: Browser, box: Box, findings: str) -> None:
    async with screen(browser, viewport=TABLET, role="admin") as page:
        await page.goto(f"{box.site}settings")
        await until(page, "d.settings === 'known'")
        await looked_at(page, "settings", findings)
        await page.select_option('select[name="speed"]', "50")
        await expect(page.locator("#said")).to_have_text("Saved.")
        await page.select_option("#level", "bed:2")
        assert await page.locator('select[name="volume"]').is_hidden()
        await page.select_option('select[name="ecg_colour"]', "violet")
        await expect(page.locator("#said")).to_have_text("Saved.")
        await page.select_option("#level", "ward")
        limit = page.locator('tr[data-limit="hr_high.above"] input')
        await limit.fill("9000")
        await page.click("#save-limits")
        await expect(page.locator("#said")).to_contain_text("HR HIGH")
        await limit.fill("130")
        await page.click("#save-limits")
        await expect(page.locator('tr[data-limit="hr_high.above"]')).to_have_attribute("data-differs", "true")
        assert box.settings.held.limits == {"hr_high": {"above": 130.0}}

        await page.goto(f"{box.site}bed/2")
        await expect(page.locator('input[name="speed"][value="50"]')).to_be_checked()
        assert await page.get_attribute("html", "data-ecg-colour") == "violet"
        await page.goto(f"{box.site}settings")
        await until(page, "d.settings === 'known'")
        await page.select_option('select[name="language"]', "de")
        await page.wait_for_function("() => document.documentElement.lang === 'de'")
        await page.goto(f"{box.site}bed/1")
        await expect(page.locator("#acknowledge")).to_have_text("QUITTIEREN")


async def test_a_file_of_settings_goes_and_comes_as_a_whole(
    browser: Browser, box: Box, tmp_path: Path
) -> None:
    await box.settings.change("act-1", {"ward": {"gain": "20"}}, {})
    async with screen(browser, viewport=TABLET, role="admin") as page:
        await page.goto(f"{box.site}settings")
        await until(page, "d.settings === 'known'")
        async with page.expect_download() as download:
            await page.click("a[download]")
        saved = tmp_path / "saved.json"
        await (await download.value).save_as(saved)
        await box.settings.change("act-2", {"ward": {"gain": "5"}}, {})
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps({**json.loads(saved.read_text()), "limits": {"hr_high": {"above": 1}}}))
        for file, said in ((bad, "HR HIGH"), (saved, "")):
            await page.set_input_files("#file", file)
            await page.click("#take")
            await page.click("#take-yes")
            if said:
                await expect(page.locator("#said")).to_contain_text(said)
                assert box.settings.held.of()["gain"] == "5"
        await page.wait_for_function("() => document.querySelector('select[name=gain]').value === '20'")


async def test_a_nurse_sets_what_is_hers_and_no_more(browser: Browser, box: Box) -> None:
    async with screen(browser, viewport=TABLET, role="nurse") as page:
        await page.goto(f"{box.site}settings")
        await until(page, "d.settings === 'known'")
        await page.select_option("#level", "person:id-nurse")
        await page.select_option('select[name="gain"]', "20")
        await expect(page.locator("#said")).to_have_text("Saved.")
        assert box.settings.held.levels == {"person:id-nurse": {"gain": "20"}}
        assert (await page.request.get(f"{box.site}api/settings/file")).status == 403
        told = await page.request.post(
            f"{box.site}api/settings",
            data=json.dumps({"id": "evil-act-1", "levels": {"ward": {"gain": "5"}}}),
            headers={"Origin": box.site.rstrip("/"), "Content-Type": "application/json"},
        )
        assert told.status in {403, 503}
        assert "ward" not in box.settings.held.levels


async def typed(page: Page, code: str, end: str = "Enter") -> None:
    """As a scanner types: all keys at once."""
    await page.evaluate(
        """([code, end]) => { for (const key of [...code, end]) (document.activeElement ?? document.body).dispatchEvent(
            new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }""",
        [code, end],
    )


async def test_a_patient_is_admitted_by_scanner_in_two_steps(
    browser: Browser, box: Box, findings: str
) -> None:
    async with screen(browser, viewport=TABLET) as page:
        await page.goto(f"{box.site}bed/1/sessions")
        await until(page, "d.sessions === '0'")
        await typed(page, "~4006381333931")
        await expect(page.locator("#scan-said")).to_contain_text("product or drug")
        await typed(page, "~MRN-77")
        await expect(page.locator('[name="full_name"]')).to_have_value("John Doe")
        await page.click("#admit")
        await expect(page.locator("#look .name")).to_have_text("John Doe")
        await expect(page.locator("#look .birth")).to_have_text("born 1970-03-01")
        await expect(page.locator("#look .alike")).to_contain_text("Same name: John Doe, 1931-04-27 · MRN-78")
        assert box.patients.acts == []
        await looked_at(page, "admit", findings)
        await page.click("#look-no")
        await page.click("#admit")
        await page.click("#look-yes")
        await expect(page.locator("#note")).to_have_text("Admitted.")
        (act,) = box.patients.acts
        assert (act.verb, act.patient["patient_id"], act.patient["birth_date"]) == (
            "admit",
            "MRN-77",
            "1970-03-01",
        )
        await page.click("#admit-unknown")
        await expect(page.locator("#note")).to_have_text("Admitted.")
        await page.wait_for_function("() => document.querySelector('#note').textContent === 'Admitted.'")
        assert box.patients.acts[-1].unknown


async def test_a_technician_sees_errors_and_what_is_sent(browser: Browser, box: Box, findings: str) -> None:
    async with screen(browser, viewport=TABLET, role="technician") as page:
        await page.goto(f"{box.site}crashes")
        await until(page, "d.crashes === '1'")
        await expect(page.locator("#list tbody tr")).to_contain_text("LookupError: <str 8>")
        await page.click("#list button")
        await expect(page.locator("#shown pre")).to_contain_text('"error_type": "LookupError"')
        assert "John" not in await page.content()
        await looked_at(page, "crashes", findings)


async def test_the_assistant_is_sent_what_was_shown_and_answers_as_text(
    browser: Browser, box: Box, findings: str
) -> None:
    async with screen(browser, viewport=TABLET, role="nurse") as page:
        await page.goto(f"{box.site}bed/1/assistant")
        await page.check('#numbers input[value="heart_rate"]')
        await page.click("#preview")
        await expect(page.locator("#shown pre")).to_contain_text("Heart rate")
        assert "Bed 1" not in (await page.locator("#shown pre").text_content() or "")
        await page.click("#send")
        await until(page, "d.answered === 'done'")
        await expect(page.locator("#answer .text")).to_have_text("75 per minute <b>is</b> a usual rate.")
        await looked_at(page, "assistant", findings)
        (note,) = box.feeder.notes
        assert (note["act"], note["bed"], len(note["body"]["sha256"])) == ("assistant", "1", 64)  # type: ignore[index]


async def test_the_demo_is_marked_on_every_page(browser: Browser, box: Box) -> None:
    async with screen(browser, viewport=TABLET, role="admin") as page:
        for path in ("", "settings", "crashes", "clouds", "bed/1", "bed/1/alarms", "bed/1/sessions"):
            await page.goto(f"{box.site}{path}")
            await expect(page.locator(".badge.demo")).to_be_visible()
            await page.wait_for_function("() => document.documentElement.dataset.demo !== undefined")
