"""What is set is kept, resolved by level, changed as a whole or not at all, and never changes alarms of a patient who is here."""

from __future__ import annotations

import sqlite3

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import audit, words
from daemon.alarms.limits import Limits
from daemon.alarms.table import ROWS
from daemon.control.settings import SettingsAct, SettingsClient, SettingsFile, SettingsRoutes
from daemon.model.actor import Actor, acts
from daemon.model.permissions import Role
from daemon.model.settings import SETTINGS, Level, bed_level, faults, in_force, person_level
from daemon.settings import BadSetting, Held, Settings
from daemon.store.box import BoxFile, ask_box

UTC_NS = 1_736_339_696 * 10**9


class Box:
    def __init__(self, folder) -> None:
        self.path = folder / "box.db"
        self.file = BoxFile(self.path)
        self.heard: list[tuple[Held, Held]] = []
        self.settings = Settings(
            self.file, {"1", "2"}, utc=lambda: (UTC_NS, True), changed=lambda *held: self.heard.append(held)
        )


@pytest.fixture
async def box(tmp_path):
    made = Box(tmp_path)
    await made.settings.restore()
    yield made
    await made.file.close()


async def test_the_nearest_level_holds_and_a_restart_knows_it(box, tmp_path):
    levels = {
        "ward": {"speed": "50", "volume": "80", "language": "de"},
        bed_level("1"): {"speed": "12.5", "mains_hz": "60"},
        person_level("p1"): {"speed": "25"},
    }
    await box.settings.change("act-1", levels, {"hr_high": {"above": 130.0}})
    await box.file.close()
    again = Box(tmp_path)
    await again.settings.restore()

    held = again.settings.held
    assert [held.of(*who)["speed"] for who in ((), ("1",), ("2",), ("1", "p1"), ("", "p1"))] == [
        "50",
        "12.5",
        "50",
        "25",
        "25",
    ]
    assert held.of("2")["mains_hz"] == ""  # what the configuration says
    assert held.limits == {"hr_high": {"above": 130.0}}
    assert again.heard[-1] == (Held(), held)
    await again.settings.change("act-2", {bed_level("1"): {"speed": None}}, {"hr_high": {"above": None}})
    assert again.settings.held.of("1")["speed"] == "50"
    assert again.settings.held.limits == {}
    await again.file.close()


@pytest.mark.parametrize(
    ("levels", "limits", "why"),
    [
        ({"ward": {"speed": "26"}}, {}, "speed"),
        ({"ward": {"volume": "20"}}, {}, "volume"),
        ({"ward": {"volume": "8O"}}, {}, "volume"),
        ({"ward": {"time_zone": "../etc/passwd"}}, {}, "time_zone"),
        ({"bed:1": {"volume": "80"}}, {}, "volume"),
        ({"person:p1": {"mains_hz": "50"}}, {}, "mains_hz"),
        ({"bed:9": {"speed": "25"}}, {}, "9"),
        ({"ward:1": {"speed": "25"}}, {}, "speed"),
        ({"elsewhere": {"speed": "25"}}, {}, "speed"),
        ({}, {"hr_high": {"above": 9000.0}}, "HR HIGH"),
        ({}, {"hr_high": {"above": 62.0}, "hr_low": {"below": 55.0}}, "HR LOW"),
        ({}, {"asystole": {"on": False}}, "ASYSTOLE"),
        ({}, {"nothing": {"on": False}}, "nothing"),
    ],
)
async def test_a_change_is_made_as_a_whole_or_not_at_all(box, levels, limits, why):
    good = {"ward": {"gain": "20", **levels.get("ward", {})}} | {
        k: v for k, v in levels.items() if k != "ward"
    }
    heard = len(box.heard)

    with pytest.raises(BadSetting, match=why):
        await box.settings.change("act-1", good, {"spo2_low": {"below": 88.0}, **limits})

    assert box.settings.held == Held()
    assert len(box.heard) == heard
    assert ask_box(box.path, lambda db: db.execute("SELECT count(*) FROM settings").fetchone()[0]) == 0


async def test_a_file_of_settings_comes_back_as_it_went(box, tmp_path):
    await box.settings.change("act-1", {"ward": {"speed": "50"}}, {"hr_high": {"above": 130.0}})
    document = box.settings.exported()
    await box.settings.change("act-2", {"ward": {"speed": None, "gain": "20"}}, {"spo2_low": {"below": 88.0}})

    for broken in (
        {},
        {**document, "format": "other"},
        {**document, "more": 1},
        {**document, "levels": {"ward": {"speed": 50}}},
        {**document, "levels": {"ward": {"speed": "51"}}},
        {**document, "limits": {"hr_high": {"above": "130"}}},
        {**document, "limits": [1]},
    ):
        with pytest.raises(BadSetting):
            await box.settings.take("act-3", broken)
    assert box.settings.held.of()["gain"] == "20"

    await box.settings.take("act-4", document)
    assert box.settings.exported() == document
    told = ask_box(box.path, audit.entries)
    assert [entry["act"] for entry in told] == ["settings", "settings", "settings_imported"]
    assert told[0]["body"]["limits"] == {"hr_high": {"above": 130.0}}


async def test_nothing_is_held_that_could_not_be_kept(box, monkeypatch):
    async def full(_work):
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(box.file, "run", full)
    with pytest.raises(sqlite3.OperationalError):
        await box.settings.change("act-1", {"ward": {"speed": "50"}}, {})
    assert box.settings.held == Held()


async def test_what_this_version_does_not_know_is_left_out_at_the_start(box, tmp_path):
    await box.settings.change("act-1", {"ward": {"speed": "50", "gain": "20"}}, {})
    await box.file.run(lambda db: db.execute("UPDATE settings SET value = '17' WHERE name = 'speed'"))
    await box.settings.restore()
    assert box.settings.held.of()["speed"] == "25"
    assert box.settings.held.of()["gain"] == "20"


def test_a_new_default_of_the_ward_is_for_the_next_patient():
    """Those who are here keep what is in force; it is shown as theirs until they leave."""
    limits = Limits(own={"hr_low": {"below": 45.0}})
    before = limits.value("hr_high", "above")
    limits.adopt({"hr_high": {"above": 150.0}, "hr_low": {"below": 55.0}}, pinned=True)
    assert (limits.value("hr_high", "above"), limits.value("hr_low", "below")) == (before, 45.0)
    assert "hr_high" in limits.differing
    limits.to_default()
    assert (limits.value("hr_high", "above"), limits.value("hr_low", "below")) == (150.0, 55.0)

    empty = Limits()
    empty.adopt({"hr_high": {"above": 150.0}}, pinned=False)
    assert empty.value("hr_high", "above") == 150.0
    assert empty.as_dict() == {}


NUMBERS = [(row.name, limit) for row in ROWS.values() for limit in row.limits]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NUMBERS), st.floats(0, 1)), max_size=4), st.booleans())
def test_whatever_a_ward_sets_nothing_changes_for_who_is_here(chosen, own):
    preset: dict[str, dict[str, float | bool]] = {}
    for (row, limit), part in chosen:
        preset.setdefault(row, {})[limit.key] = limit.low + round(part * (limit.high - limit.low), 3)
    if Limits(preset=preset).refused:
        return
    limits = Limits(own={"hr_high": {"above": 140.0}} if own else {})
    before = limits.all()
    limits.adopt(preset, pinned=True)
    assert [(one.row, one.key, one.value) for one in limits.all()] == [
        (one.row, one.key, one.value) for one in before
    ]
    # What is kept for the next start says the same.
    again = Limits(preset, limits.as_dict())
    assert again.refused == []
    assert again.all() == limits.all()


def test_the_table_takes_its_own_defaults():
    for one in SETTINGS.values():
        assert one.default == "" or one.takes(one.default), one.name
        assert Level.WARD in one.levels
    assert list(faults({"ward": in_force({})})) != []  # "" is the absence of a setting, never one
    assert SETTINGS["time_zone"].takes("Europe/Berlin")


async def test_routes_and_who_may_use_them(box, tmp_path):
    app = web.Application()

    @web.middleware
    async def signed(request, handler):
        role = request.headers.get("x-role", "")
        if not role:
            return await handler(request)
        with acts(Actor("N. N.", Role(role), "screen", person="p1")):
            return await handler(request)

    app.middlewares.append(signed)
    SettingsRoutes(box.settings).add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s.sock")).start()

    async def post(role, levels=None, limits=None, path="/settings", **more):
        body = more or {"levels": levels or {}, "limits": limits or {}}
        async with (
            aiohttp.ClientSession(
                "http://v", connector=aiohttp.UnixConnector(str(tmp_path / "s.sock"))
            ) as web_,
            web_.post(
                path, json={"id": f"act-{id(body):020}", **body}, headers={"x-role": role} if role else {}
            ) as answer,
        ):
            return answer.status

    own, other, ward = (
        {"person:p1": {"speed": "50"}},
        {"person:p2": {"speed": "50"}},
        {"ward": {"speed": "50"}},
    )
    assert [await post(role, own) for role in ("nurse", "viewer", "technician", "admin")] == [
        200,
        403,
        403,
        200,
    ]
    assert [await post(role, ward) for role in ("nurse", "clinician", "technician", "admin", "")] == [
        403,
        403,
        403,
        200,
        200,
    ]
    assert [await post(role, other) for role in ("nurse", "admin")] == [403, 200]
    assert [await post(role, own, {"hr_high": {"above": 130.0}}) for role in ("nurse", "admin")] == [403, 200]
    document = box.settings.exported()
    assert [await post(r, path="/settings/file", document=document) for r in ("nurse", "admin")] == [403, 200]
    assert await post("admin", path="/settings/file", nothing=1) == 400

    async with SettingsClient(tmp_path / "s.sock") as client:
        assert (await client.told()).levels["ward"] == {"speed": "50"}
        limits = {(one.row, one.key): one for one in (await client.limits()).limits}
        assert (limits["hr_high", "above"].value, limits["hr_high", "above"].factory) == (130.0, 120.0)
        assert limits["pause", "on"].low is None
        refused = await client.act(SettingsAct(id="another-act", levels={"ward": {"speed": "1"}}))
        assert (refused.acted, "speed" in refused.error) == (False, True)
        again = SettingsFile(id="file-act-1", document=(await client.export()).document)
        assert (await client.take(again)).acted
    await runner.cleanup()
    by = [(e["act"], e["by"].get("role")) for e in ask_box(box.path, audit.entries)]
    assert ("settings", "nurse") in by
    assert ("settings_imported", "admin") in by


def test_a_language_is_spoken_where_it_was_asked_for():
    assert words.say("page.quiet") == "No messages."
    with words.speaking("de"):
        assert words.spoken() == "de"
        assert words.say("page.quiet") == words.table("de")["page.quiet"]
        assert words.say("page.quiet", "en") == "No messages."
    assert words.spoken() == "en"
    with words.speaking("tlh"):
        assert words.say("page.quiet") == "No messages."
    with pytest.raises(KeyError):
        words.speak("tlh")
