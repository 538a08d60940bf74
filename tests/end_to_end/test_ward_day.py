"""A day at a bed, by hand in a browser: admitted by scanner, recorded, alarmed, limits changed, reported, confirmed, exported, discharged.

Then the audit has to tell exactly that story: on its page, by the command line, and in a file that somebody has edited.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import edfio
import pypdf
import pytest
from playwright.sync_api import expect

from benchmarks._box import Box
from daemon.cli import main
from daemon.model.permissions import Role, may
from tests.end_to_end._axe import grave
from webui.access import ROUTES

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PASSWORD = "four words in a row"
PATIENT = {"patient_id": "17-4711", "full_name": "Ada Żak", "birth_date": "1954-05-06"}
SLOW_MS = 90_000  # a report is made by a process that gives way to all others
TABLET, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


class Day:
    """A screen at the bed, and what is done at it."""

    def __init__(self, box: Box, page) -> None:
        self.box = box
        self.page = page

    def watched(self) -> None:
        """Waves and a heart rate, with nobody signed in."""
        self.page.goto(self.box.url)
        expect(self.page.locator("#heart-rate .value")).to_have_text(re.compile(r"^\d+$"))

    def enter(self, name: str) -> None:
        """At the page: whoever was signed in signs out, `name` signs in."""
        page = self.page
        if page.locator("#signed summary").count():
            page.locator("#signed summary").click()
            with page.expect_navigation(url="**/sign-in**"):
                page.locator("#sign-out").click()
        page.goto(f"{self.box.url}sign-in?next=/bed/1/sessions")
        page.fill("[name=identifier]", name)
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        expect(page).to_have_url(re.compile("/bed/1/sessions$"))
        expect(page.locator("#signed b")).to_have_text(name)

    def admit(self) -> str:
        """By the wristband, as a scanner types it; the name of the recording that begins with it."""
        page = self.page
        expect(page.locator("#scan-said")).to_be_visible(timeout=SLOW_MS)
        number = page.locator("#admission [name=patient_id]")
        for _ in range(20):  # a busy machine may type slower than a scanner: then it is scanned again
            page.keyboard.type(PATIENT["patient_id"])
            page.keyboard.press("Enter")
            page.wait_for_timeout(1000)
            if number.input_value():
                break
        expect(number).to_have_value(PATIENT["patient_id"])
        page.fill("#admission [name=full_name]", PATIENT["full_name"])
        page.fill("#admission [name=birth_date]", PATIENT["birth_date"])
        page.press("#admission [name=birth_date]", "Enter")
        expect(page.locator("#look .name")).to_have_text(PATIENT["full_name"])
        page.keyboard.press("Enter")
        expect(page.locator("#patient .who")).to_contain_text(PATIENT["full_name"])
        self.done("Admitted.")
        return self.recording()

    def recording(self) -> str:
        goes = self.page.locator("#now .goes")
        expect(goes).to_contain_text("session_")
        return re.search(r"session_\d{8}_\d{6}(_\d+)?", goes.inner_text())[0]

    def done(self, text: str) -> None:
        expect(self.page.locator("#note")).to_have_text(text)

    def record(self, before: str) -> str:
        """A recording of its own."""
        self.page.click("#now [data-verb=start]")
        expect(self.page.locator("#now .goes")).not_to_contain_text(before)
        return self.recording()

    def alarm(self) -> None:
        """A heart that is too fast alarms, is acknowledged, and gets another limit."""
        page = self.page
        self.watched()
        self.box.steer("ecg rate 135")
        expect(page.locator("#alarms .alarm").first).to_contain_text("HR HIGH")
        page.keyboard.press("F1")
        expect(page.locator("#alarms .alarm").first).to_contain_text("ACKNOWLEDGED")
        page.click(".keys [aria-controls=sheet-limits]")
        row = page.locator('#sheet-limits li[data-row="hr_high"]')
        row.locator('input[data-part="above"]').fill("150")
        row.locator('input[data-part="above"]').press("Tab")
        row.locator('[data-part="set"]').click()
        expect(page.locator("#limits-note")).to_have_text("Set: HR HIGH.")

    def reports(self, session: str):
        self.page.goto(f"{self.box.url}reports?session={session}")
        return self.page.locator("#list > li")

    def read(self, card) -> str:
        """The text of the file behind a report's key."""
        path = card.get_by_role("link", name=re.compile("^Open")).get_attribute("href")
        answer = self.page.request.get(self.box.url.rstrip("/") + path)
        return "\n".join(one.extract_text() for one in pypdf.PdfReader(io.BytesIO(answer.body())).pages)


@pytest.fixture(scope="module")
def day(chromium, made_known):
    """The whole day, once; each test looks at what is left of it."""
    expect.set_options(timeout=SLOW_MS)  # no deadline is judged here
    with tempfile.TemporaryDirectory(prefix="ward-day-") as folder, Box(Path(folder)) as box:
        box.start_worker()
        context = chromium.new_context(viewport=TABLET)
        try:
            yield lived(Day(box, context.new_page()), made_known)
        finally:
            expect.set_options(timeout=5000)
            context.close()


def lived(day: Day, made_known) -> dict:
    socket = day.box.folder / "run" / "control.sock"
    day.watched()
    for role in ("nurse", "clinician", "admin"):
        made_known(socket, role)
    day.enter("Sasha Nurse")
    admitted = day.admit()
    session = day.record(admitted)
    day.alarm()
    cards = day.reports(session)
    day.page.select_option("#make [name=kind]", "ecg")
    day.page.click("#make button[type=submit]")
    day.page.wait_for_selector("#list > li, #jobs [data-state=failed]", timeout=2 * SLOW_MS)
    assert day.page.locator("#jobs [data-state=failed]").all_inner_texts() == []
    first = day.read(cards)

    day.enter("Sasha Clinician")
    cards = day.reports(session)
    day.page.get_by_role("button", name="Confirm").press("Enter")
    identity = day.page.locator(".identity")
    identity.locator("[name=patient_id]").fill(PATIENT["patient_id"])
    identity.locator("[name=birth_date]").fill("1954-06-05")  # the other patient's
    identity.locator("[name=birth_date]").press("Enter")
    expect(identity.locator("[role=alert]")).to_contain_text("does not fit this patient")
    identity.locator("[name=birth_date]").fill(PATIENT["birth_date"])
    identity.locator("[name=birth_date]").press("Enter")
    day.page.fill("#confirm-lines", "Sinus tachycardia, seen.")
    day.page.click("#confirm-yes")
    expect(day.page.locator("#note")).to_have_text("The report is being made anew with your name.")
    day.page.wait_for_selector(
        "#list > [data-state=confirmed], #jobs [data-state=failed]", timeout=2 * SLOW_MS
    )
    assert day.page.locator("#jobs [data-state=failed]").all_inner_texts() == []
    expect(cards.first).to_have_attribute("data-state", "confirmed")
    second = day.read(cards)

    day.page.goto(f"{day.box.url}bed/1/export?session={session}")
    day.page.check("[name=demo]")
    day.page.select_option("[name=form]", "edf")
    day.page.click("#begin")
    expect(day.page.locator("#download")).to_be_visible(timeout=SLOW_MS)
    with day.page.expect_download() as download:
        day.page.click("#download")
    exported = download.value.path().read_bytes()

    day.page.goto(f"{day.box.url}bed/1/sessions")
    day.page.click("#discharge")
    day.page.click("#discharge-yes")
    day.done("Discharged.")

    day.enter("Sasha Admin")
    day.page.goto(f"{day.box.url}audit")
    expect(day.page.locator("#chain")).to_have_attribute("data-state", "whole")
    rows = [
        {cell.get_attribute("data-label"): cell.inner_text() for cell in row.locator("td").all()}
        for row in day.page.locator("#rows tbody tr").all()
    ]
    told = {"session": session, "reports": (first, second), "edf": exported, "page": rows[::-1]}
    return {"box": day.box, "config": copied(day.box), **told}


def copied(box: Box) -> Path:
    """The configuration of a box that has this one's box.db as it is now."""
    folder = box.folder / "after"
    folder.mkdir()
    with (
        closing(sqlite3.connect(box.database.parent / "box.db")) as source,
        closing(sqlite3.connect(folder / "box.db")) as copy,
    ):
        source.backup(copy)
    config = folder / "vitald.toml"
    config.write_text(box.config.read_text().replace(str(box.database.parent), str(folder)))
    return config


ROLES = {"Sasha Nurse": "nurse", "Sasha Clinician": "clinician", "Sasha Admin": "admin"}


def story(session: str) -> list[tuple[str, str, str, dict]]:
    """Who, what, to whom or at what, and what of it has to be said: every row that the day leaves, and none besides."""
    nurse, clinician, admin, whom = *ROLES, PATIENT["patient_id"]
    return [
        *[("console", "person_added", "", {"full_name": name, "role": role}) for name, role in ROLES.items()],
        (nurse, "sign_in", "", {"with": "password"}),
        (nurse, "admit", whom, PATIENT),
        (nurse, "session_start", whom, {}),
        (nurse, "acknowledge", whom, {}),
        (nurse, "limits", whom, {"hr_high.above": "150"}),
        (nurse, "report_made", whom, {"kind": "ecg", "of": None}),
        (nurse, "report_opened", whom, {}),
        (nurse, "sign_out", "", {}),
        (clinician, "sign_in", "", {"with": "password"}),
        (clinician, "report_identifiers_wrong", whom, {"wrong": ["birth_date"]}),
        (clinician, "report_confirmed", whom, {"edited": True, "identifiers": ["birth_date", "patient_id"]}),
        (clinician, "report_opened", whom, {}),
        (clinician, "export", whom, {"session": session, "format": "edf", "patient": "named"}),
        (clinician, "discharge", whom, {}),
        (clinician, "sign_out", "", {}),
        (admin, "sign_in", "", {"with": "password"}),
    ]


def audited(config: Path, capsys, *what: str) -> tuple[int, list[dict]]:
    """`vitald audit WHAT --json`: the exit code, and what it says line by line."""
    capsys.readouterr()
    code = main(["audit", *what, "--json", "--config", str(config)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_report_is_the_patients_unconfirmed_first_and_then_the_clinicians(day):
    first, second = day["reports"]
    for text in (first, second):
        assert all(said in text for said in (*PATIENT.values(), day["session"]))
        assert "DEMO · NOT A PATIENT" in text
    assert "UNCONFIRMED" in first
    assert "UNCONFIRMED" not in second
    assert "Confirmed by Sasha Clinician" in second
    assert "Sinus tachycardia, seen." in second


def test_the_export_holds_the_patient_and_the_heart(day):
    read = edfio.read_edf(day["edf"])
    signal = next(one for one in read.signals if one.label.split()[-1] == "II")

    assert read.patient.code == "TEST"  # a simulated heart never passes for a patient's
    assert signal.sampling_frequency == 500
    assert signal.data.max() - signal.data.min() > 0.5 * (1000 if signal.physical_dimension == "uV" else 1)


def test_the_audit_tells_exactly_that_story_by_the_command_line_and_on_its_page(day, capsys):
    wanted = story(day["session"])
    code, rows = audited(day["config"], capsys, "list", "--most", "1000")
    assert code == 0
    assert [(row["actor"].split(" (")[0], row["act"]) for row in rows] == [
        (who, act) for who, act, *_ in wanted
    ]
    for row, (who, _, whom, said) in zip(rows, wanted, strict=True):
        assert row["by"]["role"] == ROLES.get(who, "console"), row
        assert row["clock_is_set"], row
        assert not whom or (row["subject"], row["bed"]) == (whom, "1"), row
        assert said.items() <= row["body"].items(), row
    times = [row["utc_ns"] for row in rows]
    assert times == sorted(times)

    shown = [(row["Who"].split(" (")[0], row["Act"], row["Where"].split(" (")[0]) for row in day["page"]]
    assert shown == [(who, act, "console" if who == "console" else "127.0.0.1") for who, act, *_ in wanted]
    for row, (_, _, whom, _) in zip(day["page"], wanted, strict=True):
        assert not whom or (row["Patient, person or device"], row["Bed"]) == (whom, "Bed 1")


def test_the_chain_is_whole_and_an_edited_row_is_found(day, capsys, tmp_path):
    whole = {"whole": True, "rows": len(story("")), "broken_at": None}
    assert audited(day["config"], capsys, "verify") == (0, [whole])

    config = tmp_path / "vitald.toml"
    config.write_text(day["config"].read_text().replace(str(day["config"].parent), str(tmp_path)))
    shutil.copy(day["config"].parent / "box.db", tmp_path / "box.db")
    assert audited(config, capsys, "verify") == (0, [whole])
    with closing(sqlite3.connect(tmp_path / "box.db", isolation_level=None)) as edited:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        for (trigger,) in edited.execute(triggers).fetchall():
            edited.execute(f"DROP TRIGGER {trigger}")
        edited.execute("UPDATE audit SET actor = 'Sasha Nurse' WHERE act = 'report_confirmed'")
    code, [said] = audited(config, capsys, "verify")
    assert (code, said["whole"], said["broken_at"]) == (1, False, 14)


NO_PAGES = {"/live", "/metrics", "/trust/authority.crt", "/reports/{id}.pdf", "/static/{digest}/{name}"}
"""Addresses that give no page; below /api/ none does."""

NOBODY_SIGNED_IN = {"/sign-in", "/setup", "/trust"}


def pages() -> list[tuple[str, str]]:
    """Every page of the one table of routes, and who looks at it."""
    found = []
    for (method, path), needs in ROUTES.items():
        if method == "GET" and path not in NO_PAGES and not path.startswith("/api/"):
            role = next((r for r in (Role.CLINICIAN, Role.ADMIN) if may(r, needs)), None)
            found.append((path, "" if path in NOBODY_SIGNED_IN else str(role)))
    return found


def test_axe_finds_nothing_serious_on_any_page_and_nothing_is_wider_than_the_screen(day, chromium):
    """After the day there is something on all of them."""
    faults: dict[str, list] = {}
    url, contexts = day["box"].url, {}
    try:
        for role in ("", Role.CLINICIAN, Role.ADMIN):
            contexts[str(role)] = context = chromium.new_context(viewport=TABLET)
            if role:
                given = {"identifier": f"Sasha {role.capitalize()}", "password": PASSWORD}
                headers = {"Origin": url.rstrip("/")}
                assert context.request.post(f"{url}api/sign-in", data=given, headers=headers).ok
        for path, role in pages():
            page = contexts[role].new_page()
            answer = page.goto(url.rstrip("/") + path.replace("{bed}", "1"))
            assert answer.ok, path
            assert page.url.split("?")[0].endswith(path.replace("{bed}", "1")), (path, page.url)
            page.wait_for_timeout(400)  # pages that show the present never come to rest
            found = grave(page)
            for size in (PHONE, TABLET):
                page.set_viewport_size(size)
                if page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
                    found.append(f"wider than {size['width']}")
            faults[path] = found
            page.close()
    finally:
        for context in contexts.values():
            context.close()

    assert {path: found for path, found in faults.items() if found} == {}
    assert len(faults) >= 24


def test_axe_is_heard(chromium):
    """What it should find it finds: a key without a name, a picture without one, grey on grey."""
    page = chromium.new_page()
    try:
        page.set_content(
            "<html lang=en><title>t</title><main><h1>t</h1><button></button><img src='data:,'>"
            "<p style='color:#777;background:#666'>grey</p></main>"
        )
        assert {line.split()[0] for line in grave(page)} == {"button-name", "image-alt", "color-contrast"}
    finally:
        page.close()
