"""What clouds wish: thresholds become limits, settings of a device wait for a person, all of it answered and audited."""

from __future__ import annotations

import asyncio

import pytest

from daemon.alarms.table import ROWS
from daemon.contracts.cpap.v1 import Alerts
from daemon.contracts.seeds import settings
from daemon.model.signals import Command
from daemon.store import schema
from daemon.store.connection import open_writing
from daemon.wishes import LIMITS, Reply
from daemon.words import say
from tests.daemon._wishing import CPAP, OXYGEN, WishingBox


@pytest.fixture
async def box(tmp_path):
    async with WishingBox(tmp_path) as made:
        yield made


def test_every_threshold_of_the_contract_is_a_limit_of_the_table_in_its_unit():
    assert set(LIMITS) == {f"alerts.{name}" for name in Alerts.model_fields}
    for name, (row, key) in LIMITS.items():
        (limit,) = (one for one in ROWS[row].limits if one.key == key)
        assert limit.unit == ("L/min" if name.endswith("_lpm") else "/min")


async def test_thresholds_become_limits_of_the_bed_and_their_alarms_are_on(box):
    box.arrive(CPAP)
    told = await box.wish(1, {"alerts": {"leak_threshold": 30, "rr_low": 9, "rr_high": 28}})

    assert (told.version, told.pending, told.refused) == (1, {}, {})
    assert told.config == {"alerts": {"leak_threshold": 30, "rr_low": 9, "rr_high": 28}}
    assert box.limit("cpap_leak_high") == (30, True)
    assert box.limit("resp_low") == (9, True)
    assert box.limit("resp_high") == (28, True)
    assert {c.actor for c in box.commands} == {"cloud ward"}
    assert await box.audited() == [
        ("wish", "cloud ward", 1),
        *(("wish_applied", "cloud ward", f"alerts.{name}") for name in Alerts.model_fields),
    ]


async def test_the_same_again_is_nothing(box):
    box.arrive(CPAP)
    wish = {"target_pressure": 12, "alerts": {"leak_threshold": 30}}
    box.devices.can[CPAP] = {"target_pressure_cm_h2o"}
    first = await box.wish(1, wish)
    again = await box.wish(1, wish)
    later = await box.wish(2, wish)

    assert first == again
    assert later.version == 2
    assert later.hash == first.hash
    assert len(box.commands) == 1
    (proposed,) = [p for p in (await box.wishes.proposals("1")).proposals if p.state == "proposed"]
    assert [act for act, _, _ in await box.audited()] == ["wish", "wish_proposed", "wish_applied", "wish"]
    await box.say("refuse", proposed.id)
    assert (await box.wish(3, wish)).refused == {"target_pressure": say("wish.refused")}


async def test_a_limit_that_is_so_already_is_not_set_again(box):
    box.arrive(CPAP)
    value, _ = box.limit("cpap_leak_high")
    told = await box.wish(1, {"alerts": {"leak_threshold": value}})

    assert told.config == {"alerts": {"leak_threshold": value}}
    assert box.commands == []


async def test_what_the_table_does_not_allow_is_rejected_with_its_reason_and_the_rest_goes_on(box):
    box.arrive(CPAP)
    before = box.limit("cpap_leak_high")
    told = await box.wish(1, {"alerts": {"leak_threshold": 2, "rr_low": 9}})

    assert told.refused == {"alerts.leak_threshold": "alarm.refused.out_of_range"}
    assert told.config == {"alerts": {"leak_threshold": before[0], "rr_low": 9}}
    assert box.limit("cpap_leak_high") == before


@pytest.mark.parametrize(
    ("wish", "refused"),
    [
        ({"target_pressure": 400}, {"target_pressure"}),
        ({"alerts": {"rr_low": 30, "rr_high": 20}}, {"alerts"}),
        ({"humidity_level": "high"}, {"humidity_level"}),
        ({"config": 7}, {"config"}),
        ({"serial": "CPAP-OTHER-1", "config": {"humidity_level": 2}}, {"serial"}),
    ],
    ids=["range", "order", "type", "shape", "serial"],
)
async def test_what_is_not_by_the_contract_is_refused_whole_by_the_name_that_was_sent(box, wish, refused):
    box.arrive(CPAP)
    await box.wish(1, {"alerts": {"leak_threshold": 30}})
    told = await box.wish(2, wish)

    assert set(told.refused) == refused
    assert told.version == 2
    assert told.config == {"alerts": {"leak_threshold": 30}}  # what was so before is so still
    assert len(box.commands) == 1


async def test_a_setting_nobody_knows_is_said_and_the_others_are_taken(box):
    box.arrive(CPAP)
    told = await box.wish(1, {"ramp_minutes": 5, "alerts": {"leak_threshold": 30, "apnea": 3}})

    assert set(told.refused) == {"ramp_minutes", "alerts.apnea"}
    assert told.config == {"alerts": {"leak_threshold": 30}}


async def test_an_older_wish_and_another_of_the_same_version_change_nothing(box):
    box.arrive(CPAP)
    await box.wish(5, {"alerts": {"leak_threshold": 30}})
    older = await box.wish(4, {"alerts": {"leak_threshold": 60}})
    other = await box.wish(5, {"alerts": {"leak_threshold": 60}})

    assert older.refused == {"version": say("wish.older", version="5")}
    assert other.refused == {"version": say("wish.another", version="5")}
    assert box.limit("cpap_leak_high")[0] == 30


async def test_a_device_that_is_read_only_is_said_so_at_once(box):
    box.arrive(CPAP)
    told = await box.wish(1, {"target_pressure": 12})

    assert told.refused == {"target_pressure": "read-only"}
    box.devices.can[CPAP] = {"target_pressure_cm_h2o"}  # it has said now that it takes settings
    assert (await box.wish(1, {"target_pressure": 12})).pending == {"target_pressure": say("wish.waits")}


async def test_a_therapy_setting_waits_for_a_person_and_goes_to_the_device_then(box):
    box.arrive(CPAP)
    box.devices.can[CPAP] = {"target_pressure_cm_h2o", "humidity_level"}
    box.devices.is_set[CPAP] = {"target_pressure_cm_h2o": 9.0, "humidity_level": 3}
    told = await box.wish(1, {"target_pressure": 12, "humidity_level": 3})
    assert told.pending == {"target_pressure": say("wish.waits")}
    assert told.config == {"target_pressure": 9.0, "humidity_level": 3}
    assert box.devices.told == []

    (one,) = [p for p in (await box.wishes.proposals("1")).proposals if p.state == "proposed"]
    assert (one.name, one.value, one.present, one.origin) == ("target_pressure_cm_h2o", 12, 9.0, "ward")
    assert not (await box.say("accept", one.id, bed="2")).acted
    acted = await box.say("accept", one.id)
    again = await box.say("accept", one.id)

    assert (acted.acted, acted.state) == (True, "applied")
    assert (again.acted, again.error) == (False, say("wish.decided"))
    assert box.devices.told == [(CPAP, "target_pressure_cm_h2o", 12)]
    after = await box.wish(1, {"target_pressure": 12, "humidity_level": 3})
    assert (after.pending, after.refused) == ({}, {})
    assert after.config == {"target_pressure": 12, "humidity_level": 3}
    assert ("wish_accepted", "nurse", "target_pressure_cm_h2o") in await box.audited()
    assert ("wish_applied", "nurse", "target_pressure_cm_h2o") in await box.audited()


async def test_another_value_is_another_proposal_and_nobody_accepts_what_he_has_not_seen(box):
    box.arrive(CPAP)
    box.devices.can[CPAP] = {"target_pressure_cm_h2o"}
    await box.wish(1, {"target_pressure": 12})
    (seen,) = (await box.wishes.proposals("1")).proposals
    await box.wish(2, {"target_pressure": 14})

    acted = await box.say("accept", seen.id)
    assert (acted.acted, acted.error) == (False, say("wish.gone"))
    assert box.devices.told == []
    await box.wish(3, {})
    assert (await box.wishes.proposals("1")).proposals == ()  # withdrawn


@pytest.mark.parametrize("version", [1, 2])
async def test_a_wish_for_nothing_withdraws_what_stands_and_leaves_what_was_done(box, version):
    """Of the same version, too: a retained message that was taken away has none of its own."""
    box.arrive(CPAP)
    box.devices.can[CPAP] = {"target_pressure_cm_h2o"}
    await box.wish(1, {"target_pressure": 12, "alerts": {"leak_threshold": 30}})
    told = await box.wish(version, {})

    assert (told.version, told.pending, told.refused) == (version, {}, {})
    states = {one.name: one.state for one in (await box.wishes.proposals("1")).proposals}
    assert states == {"alerts.leak_threshold_lpm": "applied"}
    assert box.limit("cpap_leak_high")[0] == 30
    count = len(await box.audited())
    for again in (version, version + 5):
        await box.wish(again, {})
    assert len(await box.audited()) == count  # nothing was left to withdraw
    late = await box.wish(1, {"target_pressure": 12})
    assert "version" in late.refused
    after = await box.wish(version + 1, {"target_pressure": 12})
    assert after.pending == {"target_pressure": say("wish.waits")}


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "silent"])
async def test_a_device_that_does_not_do_it_is_told_to_the_person_and_the_cloud(box, hangs, monkeypatch):
    monkeypatch.setattr("daemon.wishes.APPLIED_WITHIN_S", 0.05)
    box.arrive(OXYGEN)
    box.devices.can[OXYGEN] = {"flow_rate_lpm"}
    box.devices.answer = Reply(applied=False, reason="its lid is open")
    if hangs:
        box.devices.hangs.clear()
    await box.wish(1, {"flow_rate_lpm": 3.0}, OXYGEN)
    (one,) = (await box.wishes.proposals("1")).proposals
    acted = await box.say("accept", one.id)

    reason = say("wish.no_answer") if hangs else "its lid is open"
    assert (acted.acted, acted.error, acted.state) == (False, reason, "rejected")
    assert (await box.wish(1, {"flow_rate_lpm": 3.0}, OXYGEN)).refused == {"flow_rate_lpm": reason}


async def test_what_is_wished_of_a_device_that_is_away_waits_for_it(box):
    wish = {"target_pressure": 12, "alerts": {"leak_threshold": 30}}
    told = await box.wish(1, wish)
    assert told.pending == dict.fromkeys(("target_pressure", "alerts.leak_threshold"), say("wish.away"))

    box.arrive(CPAP)
    box.devices.can[CPAP] = {"target_pressure_cm_h2o"}
    told = await box.wish(1, wish)

    assert told.pending == {"target_pressure": say("wish.waits")}
    assert told.config == {"alerts": {"leak_threshold": 30}}


async def test_the_due_date_of_maintenance_is_the_boxs_own(box):
    told = await box.wish(1, {"maintenance_due_date": "2026-03-01"}, OXYGEN)

    assert told.config == {"maintenance_due_date": "2026-03-01"}
    assert (await box.wish(2, {"maintenance_due_date": "2026-13-01"}, OXYGEN)).refused.keys() == {
        "maintenance_due_date"
    }


async def test_what_was_being_set_when_the_box_died_is_not_taken_for_set(tmp_path):
    async with WishingBox(tmp_path) as box:
        box.arrive(CPAP)
        box.devices.can[CPAP] = {"target_pressure_cm_h2o"}
        box.devices.hangs.clear()
        await box.wish(1, {"target_pressure": 12})
        (one,) = (await box.wishes.proposals("1")).proposals
        act = asyncio.create_task(box.say("accept", one.id))
        async with asyncio.timeout(5):
            while (await box.wishes.proposals("1")).proposals[0].state != "accepted":
                await asyncio.sleep(0.01)
        act.cancel()
        await asyncio.gather(act, return_exceptions=True)
    async with WishingBox(tmp_path) as box:
        box.arrive(CPAP)
        told = await box.wish(1, {"target_pressure": 12})

        assert told.refused == {"target_pressure": say("wish.interrupted")}


async def test_two_clouds_wish_each_for_itself(box):
    box.arrive(CPAP)
    box.devices.can[CPAP] = {"humidity_level"}
    await box.wish(1, {"humidity_level": 3}, origin="ward")
    await box.wish(7, {"humidity_level": 5}, origin="maker")

    assert [(p.origin, p.value) for p in (await box.wishes.proposals("1")).proposals] == [
        ("ward", 3),
        ("maker", 5),
    ]


async def test_a_new_patient_gets_the_wards_limits_and_the_cloud_hears_of_it(box):
    box.arrive(CPAP)
    default = box.limit("cpap_leak_high")[0]
    await box.wish(1, {"alerts": {"leak_threshold": 30, "rr_low": 9}})
    await box.obey(Command("discharge-1", box.now_ns, "1", "nurse", "discharge", ()))
    told = await box.wish(1, {"alerts": {"leak_threshold": 30, "rr_low": 9}})

    assert told.config == {"alerts": {"leak_threshold": default}}  # the alarm of rr_low is off again


def test_a_digest_is_that_of_the_settings_in_our_names():
    seeds, ours = {"target_pressure": 12}, {"config": {"target_pressure_cm_h2o": 12}, "serial": CPAP}

    assert settings.digest(seeds) == settings.digest(ours)
    assert settings.digest(seeds) != settings.digest({"target_pressure": 13})
    assert settings.digest({"humidity_level": None}) == settings.digest({})
    # printf '{"target_pressure_cm_h2o":12}' | sha256sum
    assert settings.digest(seeds) == "882ecc0a03362006625ca594291835d5686031be5ad77aef7dcd431d967d40bb"


def test_a_box_db_of_the_first_step_is_brought_up_with_all_it_holds(tmp_path):
    path = tmp_path / "box.db"
    first = schema.Schema(schema.BOX.application_id, schema.BOX.steps[:1])
    db = open_writing(path, first)
    first.apply(db)
    db.execute("INSERT INTO patients (id, full_name, registration_date) VALUES ('P-1', 'John', '2026-01-01')")
    db.close()

    for _ in range(2):
        db = open_writing(path, schema.BOX)
        schema.BOX.apply(db)
        assert db.execute("SELECT id FROM patients").fetchall() == [("P-1",)]
        assert db.execute("SELECT count(*) FROM proposals").fetchone() == (0,)
        db.close()
