"""What first settings leave for the daemon: accounts and audit, once; and what the page /setup may set of the box."""

from __future__ import annotations

import json
import os
import tomllib

import pytest
from argon2 import PasswordHasher

from daemon import audit
from daemon.appliance.first_settings import FirstPerson, FirstSettings, OwnTables
from daemon.appliance.first_start import ANSWER, FOLDER, HANDOVER, Places, applied, is_set_up, leave, plan_of
from daemon.appliance.system_steps import CannotDo
from daemon.config import Box, Config
from daemon.control.people import BoxSettings, SetUp
from daemon.first_start import REQUEST, FirstStart, requested
from daemon.model.permissions import Role
from daemon.store.box import ask_box
from tests.daemon.people._desk import CONSOLE, LAN, WORDS, acts_of, enter

HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(WORDS)
CODE = "abcd-efgh-jkmn-pqrs"
PEOPLE = (
    FirstPerson(full_name="Anna Admin", role="admin", password_hash=HASH),
    FirstPerson(full_name="Nora Nurse", role="nurse", code=CODE),
)


@pytest.fixture
def config(desk, tmp_path) -> Config:
    return Config(box=Box(data=desk.path.parent, run=tmp_path), beds={"1": {"name": "Bed 1"}})


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "vitald.toml"
    file.write_text('[box]\nname = "vitald"\n[beds.1]\nname = "Bed 1"\n')
    return file


def first(desk, config, path=None) -> FirstStart:
    desk.signing.box = FirstStart(config, path, desk.signing, lambda: (desk.utc_ns, True))
    return desk.signing.box


def rows(desk, act) -> list[audit.Entry]:
    return [e for _, e in ask_box(desk.path, lambda db: audit.found(db, audit.Filter(act=act)))]


async def test_people_and_audit_are_taken_in_once(desk, config, path):
    settings = FirstSettings(own=OwnTables(people=PEOPLE), tables={"box": {"name": "Ward 3"}})
    applied(plan_of(settings, Places(config, path)), Places(config, path), "the stick")
    assert not is_set_up(config)
    await first(desk, config).restore()
    assert is_set_up(config)
    assert not (config.box.data / FOLDER / HANDOVER).exists()

    anna = await enter(desk, "Anna Admin", WORDS)
    nora = await enter(desk, "Nora Nurse", CODE)
    assert (desk.actor(anna.held, "127.0.0.1").role, anna.must_change) == (Role.ADMIN, False)
    assert nora.must_change, "a code signs in once: then the person chooses a password"
    lines = {row.subject: row.body["value"] for row in rows(desk, "first_setting")}
    assert lines == {"box.name": "Ward 3", "people.Anna Admin": "admin", "people.Nora Nurse": "nurse"}
    assert {row.body["from"] for row in rows(desk, "first_setting")} == {"the stick"}
    assert [act for act, *_ in await acts_of(desk)].count("person_added") == 2


async def test_after_a_power_cut_before_the_file_was_taken_away_nothing_is_there_twice(desk, config, path):
    settings = FirstSettings(own=OwnTables(people=PEOPLE[:1]))
    applied(plan_of(settings, Places(config, path)), Places(config, path), "the stick")
    file = config.box.data / FOLDER / HANDOVER
    text, when = file.read_text(), file.stat().st_mtime_ns
    await first(desk, config).restore()
    leave(config.box.data, HANDOVER, text)
    os.utime(file, ns=(when, when))
    await desk.again()
    await first(desk, config).restore()
    assert desk.signing.people("", "", 0, 10).total == 1
    assert len(rows(desk, "first_setting")) == 1


async def test_people_of_a_file_come_only_where_there_is_nobody(desk, config, path):
    settings = FirstSettings(own=OwnTables(people=PEOPLE))
    applied(plan_of(settings, Places(config, path)), Places(config, path), "the stick")
    await first(desk, config).restore()
    with pytest.raises(Exception, match="has an account already"):
        plan_of(settings, Places(config, path))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"people": 3}'])
async def test_what_cannot_be_read_stops_no_start(desk, config, text):
    leave(config.box.data, HANDOVER, text)
    await first(desk, config).restore()
    assert desk.signing.setup(CONSOLE).needed


# --- the page --------------------------------------------------------------------------------------------


async def set_up(desk, box: BoxSettings, origin="127.0.0.1", code=""):
    with desk.at(origin):
        given = SetUp(code=code, person={"full_name": "Anna Admin"}, password=WORDS, box=box)
        return await desk.signing.set_up(desk.actor("", origin), given)


ASKED = BoxSettings(name="Ward 3", ward="3B", beds={"1": "Window", "2": "Door"}, zone="Europe/Berlin")


async def test_the_daemon_changes_a_file_of_its_own_and_says_that_it_must_be_restarted(desk, config, path):
    await desk.signing.restore()
    first(desk, config, path)
    told = await set_up(desk, ASKED)
    assert (bool(told.held), told.next) == (True, "restart")
    table = tomllib.loads(path.read_text())
    assert table["box"] == {"ward": "3B", "name": "Ward 3"}
    assert table["beds"] == {"1": {"name": "Window"}, "2": {"name": "Door"}}
    await desk.again()
    await first(desk, config, path).restore()
    assert "the page /setup, Anna Admin" in {row.body["from"] for row in rows(desk, "first_setting")}


async def test_where_the_file_is_roots_a_request_is_left(desk, config):
    await desk.signing.restore()
    first(desk, config)
    assert (await set_up(desk, ASKED)).next == "wait"
    text = (config.box.data / FOLDER / REQUEST).read_text()
    settings = requested(text, {})
    assert settings.own.time.zone == "Europe/Berlin"
    assert settings.tables["beds"] == {"1": {"name": "Window"}, "2": {"name": "Door"}}


async def test_nothing_is_asked_for_where_nothing_is_other(desk, config):
    await desk.signing.restore()
    first(desk, config)
    assert (await set_up(desk, BoxSettings(name="vitald", beds={"1": "Bed 1"}))).next == ""
    assert not (config.box.data / FOLDER).exists()


@pytest.mark.parametrize(
    "asked", [{"zone": "Europe/Nowhere"}, {"serial": "not a serial"}, {"servers": ("a b",)}]
)
async def test_what_cannot_be_set_makes_no_account_either(desk, config, path, asked):
    await desk.signing.restore()
    first(desk, config, path)
    before = path.read_text()
    told = await set_up(desk, BoxSettings(name="x", **asked))
    assert not told.held
    assert told.error
    assert desk.signing.setup(CONSOLE).needed
    assert path.read_text() == before


async def test_without_the_code_nobody_elsewhere_sets_anything(desk, config, path):
    await desk.signing.restore()
    first(desk, config, path)
    before = path.read_text()
    assert not (await set_up(desk, ASKED, LAN)).held
    assert path.read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        '[web]\nhost = "0.0.0.0"\n',
        '[forward]\ncredentials = "/root"\n',
        '[box]\ndata = "/etc"\n',
        '[[people]]\nfull_name = "X"\nrole = "admin"\ncode = "abcd-efgh-jkmn"\n',
        '[network]\ninterface = "eth0"\n',
        '[credentials]\n"a" = "b"\n',
        '[[beds.1.devices]]\nlabel = "x"\nport = "/dev/sda"\n',
        "[boxes.X.web]\nport = 1\n",
    ],
)
def test_a_request_may_ask_for_names_beds_serial_and_clock_only(text):
    with pytest.raises(Exception, match="cannot be set from a page|has no table here"):
        requested(text, {})


async def test_why_a_stick_was_not_taken_is_told_while_nobody_has_an_account(desk, config):
    await desk.signing.restore()
    first(desk, config)
    leave(config.box.data, ANSWER, json.dumps({"lines": ["vitald-setup.toml:4: web.port: too large"]}))
    assert desk.signing.setup(desk.actor("", LAN)).told == ("vitald-setup.toml:4: web.port: too large",)
    await set_up(desk, BoxSettings(name="vitald", beds={"1": "Bed 1"}))
    assert desk.signing.setup(desk.actor("", LAN)).told == ()


def test_a_request_that_names_a_bed_is_taken():
    settings = requested('[beds.4]\nname = "Window"\n', {})
    assert settings.tables == {"beds": {"4": {"name": "Window"}}}
    with pytest.raises(CannotDo):
        requested('[beds.4]\nname = "Window"\n[beds.4.display]\nmode = "st"\n', {})
