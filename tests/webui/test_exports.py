"""The page on which a session is exported, before a real worker, a real control socket, a real store and a real audit."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from daemon.config import Web
from daemon.control.exports import ExportRoutes
from daemon.control.sessions import PatientsTold, SessionRoutes, SessionsTold, SessionTold
from daemon.exporting import Exporting
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.words import say
from daemon.worker import working
from tests.daemon.exchange.recorded_house import record
from tests.webui.test_import import Ward
from webui.app import serving

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

LOOKED_AT = os.environ.get("VITALD_SCREENSHOTS")


class Recorded:
    """What the page asks of sessions."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def sessions(self, bed, patient, most):
        told = SessionTold(
            session_id=self._name, session_uuid="u", bed=bed, started_at="2025-01-08T12:34:56.000Z",
            ended_at="2025-01-08T12:35:00.000Z", clock="set", ended_by="discharge", automatic=False, actor="nurse",
            patient_id="MRN-77", full_name="Erika Müller-Žák", device_serial="ECG-7711-0045", sampling_rate_hz=500.0,
            summary=None,
        )  # fmt: skip
        return SessionsTold(sessions=(told,) if bed == "1" else ())

    async def patients(self, find):
        return PatientsTold()

    async def act(self, act):
        raise NotImplementedError


class Several:
    def __init__(self, *routes) -> None:
        self._routes = routes

    def add_to(self, app) -> None:
        for routes in self._routes:
            routes.add_to(app)


@asynccontextmanager
async def site_of(folder: Path, *, demo: bool = False):
    house = Ward(folder)
    box = house.config.box.model_copy(update={"demo": demo})
    house.config = house.config.model_copy(update={"web": Web(port=0), "box": box})
    for path in (box.data, box.run, house.config.web_data):
        path.mkdir(parents=True, exist_ok=True)
    recorded = await record(box.data, 4, demo=demo)
    people = BoxFile(box.people)
    exporting = Exporting(people, History(box.database), box.data, lambda: (10**18, True))
    routes = Several(SessionRoutes(Recorded(recorded.name)), ExportRoutes(exporting))
    async with house.listening(routes), working(house.config), serving(house.config) as pages:
        yield pages.address, recorded, people
    await people.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path):
    async with site_of(tmp_path) as found:
        yield found


async def ask(session, address, method="GET", path="", body=None):
    headers = {"Origin": address.rstrip("/")}
    async with session.request(method, f"{address}api/export{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers


def wanted(recorded, **more):
    return {"bed": "1", "session": recorded.name, "form": "csv", **more}


async def test_the_file_is_made_noted_and_passed_on(site):
    address, recorded, people = site
    async with aiohttp.ClientSession(headers={"Cookie": "vitald=clinician"}) as session:
        status, body, _ = await ask(session, address, "POST", body=wanted(recorded, who="deidentify"))
        assert status == 200, body
        state = {"state": "running"}
        while state["state"] == "running":
            async with session.get(f"{address}api/export") as answer:
                state = await answer.json()
        assert state["state"] == "done"
        status, body, headers = await ask(session, address, path=f"/{state['asked']['id']}")
        assert headers["Content-Disposition"] == f'attachment; filename="{state["name"]}"'
        assert recorded.name not in headers["Content-Disposition"]
        assert len(body) == state["size"]
        assert "numbers.csv" in zipfile.ZipFile(io.BytesIO(body)).namelist()
        assert (await ask(session, address, path="/00000000-0000-4000-8000-000000000000"))[0] == 404
    rows = await people.run(lambda db: db.execute("SELECT actor, act, subject FROM audit").fetchall())
    assert [tuple(row) for row in rows] == [("Nora Clinician", "export", "MRN-77")]


@pytest.mark.parametrize(
    "body",
    [
        {"bed": "1"},
        {"bed": "1", "session": "s", "form": "docx"},
        {"bed": "1", "session": "s", "form": "csv", "path": "/etc/passwd"},
        {"bed": "1", "session": "s", "form": "csv", "id": "x", "start_s": -1},
        [],
    ],
)
async def test_what_is_no_export_is_400(site, body):
    address, _, _ = site
    async with aiohttp.ClientSession(headers={"Cookie": "vitald=clinician"}) as session:
        assert (await ask(session, address, "POST", body=body))[0] == 400


async def test_a_nurse_may_not_and_nothing_is_noted(site):
    address, recorded, people = site
    async with aiohttp.ClientSession(headers={"Cookie": "vitald=nurse"}) as session:
        assert (await ask(session, address, "POST", body=wanted(recorded)))[0] == 403
        assert (await ask(session, address))[0] == 403
    tables = await people.run(lambda db: db.execute("SELECT count(*) FROM audit").fetchone()[0])
    assert tables == 0


@pytest.mark.browser
@pytest.mark.parametrize("size", ["page", "phone"])
async def test_by_the_page(page, phone, tmp_path, findings, size):
    async with site_of(tmp_path, demo=True) as (address, recorded, _):
        view = {"page": page, "phone": phone}[size]
        await view.goto(f"{address}bed/1/export?session={recorded.name}")
        await expect(view.locator("select[name=session] option")).to_have_count(1)
        await view.select_option("select[name=form]", "fhir")
        await view.click("#begin")
        await expect(view.locator("#state")).to_contain_text("simulator")
        await view.check("input[name=demo]")
        await view.focus("#begin")
        await view.keyboard.press("Enter")
        await expect(view.locator("#download")).to_be_visible()
        await expect(view.locator("#state")).to_contain_text(".json is ready")
        if LOOKED_AT:
            await view.screenshot(path=f"{LOOKED_AT}/export-{size}.png", full_page=True)
        assert await view.evaluate(findings) == []
        async with view.expect_download() as waiting:
            await view.click("#download")
        download = await waiting.value
        assert download.suggested_filename == f"{recorded.name}.json"
        assert '"HTEST"' in Path(await download.path()).read_text(encoding="utf-8")


@pytest.mark.browser
async def test_without_sessions_there_is_nothing_to_export(page, site):
    address, _, _ = site
    await page.goto(f"{address}bed/2/export")
    await expect(page.locator("#state")).to_have_text(say("export.none"))
    await expect(page.locator("#begin")).to_be_disabled()
