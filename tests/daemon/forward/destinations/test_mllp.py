"""HL7 over MLLP: every answer and every way to have none, over a real socket; what is sent, parsed by hl7apy."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from hl7apy.parser import parse_message

from daemon.contracts.registry import CONTRACTS
from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.kinds import BadOptions, make
from daemon.forward.destinations.mllp import FIELDS
from daemon.units import CODED, UNITS
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.destinations.mllp_server import Receiver, Served

ERIKA = {"patient_id": "p-17", "full_name": records.PATIENT, "birth_date": "1950-03-01", "gender": "Female"}


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def served(receiver):
    with Served(receiver) as running:
        yield running


def destination(served, place, **more):
    options = {
        "host": "127.0.0.1",
        "port": served.port,
        "tls": False,
        "numbers_every_s": 1,
        "timeout_s": 5,
        **more,
    }
    return make("mllp", options, place)


def place(tmp_path, **more):
    return records.place(tmp_path, **more)


def sealed(made, record):
    return made.seal(records.key(1), [record])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("AE", Verdict.REFUSED),
        ("AE:101", Verdict.REFUSED),
        ("AR", Verdict.REFUSED),
        ("CE", Verdict.REFUSED),
        ("AR:200", Verdict.PARKED),
        ("AR:202", Verdict.PARKED),
        ("AE:207", Verdict.WAIT),
        ("AR:206", Verdict.WAIT),
        ("XX", Verdict.AGAIN),
        ("garbage", Verdict.AGAIN),
        ("drop", Verdict.AGAIN),
        ("half and drop", Verdict.AGAIN),
    ],
)
async def test_each_answer_has_its_outcome_and_says_nothing_of_the_patient(
    receiver, served, tmp_path, answer, verdict
):
    made = destination(served, place(tmp_path))
    receiver.answers = [answer]
    message = sealed(made, records.alarm(1))
    outcome = await made.send(message)

    assert outcome.verdict is verdict
    assert outcome.reason
    assert "Erika" not in outcome.reason
    assert await made.send(message) == DONE
    assert list(receiver.taken.values()) == [message.data]
    await made.close()


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["silence", "half", "other only"])
async def test_no_answer_to_this_message_is_again_on_a_new_line(receiver, served, tmp_path, answer):
    made = destination(served, place(tmp_path), timeout_s=0.3)
    receiver.answers = [answer]
    message = sealed(made, records.alarm(1))

    assert (await made.send(message)).verdict is Verdict.AGAIN
    made = destination(served, place(tmp_path))
    assert await made.send(message) == DONE
    assert receiver.heard == [records.alarm(1).key] * 2
    assert len(receiver.taken) == 1
    await made.close()


async def test_an_answer_to_another_message_is_passed_over(receiver, served, tmp_path):
    made = destination(served, place(tmp_path))
    receiver.answers = ["other"]

    assert await made.send(sealed(made, records.alarm(1))) == DONE
    await made.close()


async def test_one_message_in_flight_in_the_order_given(receiver, served, tmp_path):
    made = destination(served, place(tmp_path))
    some = [records.alarm(n) for n in range(1, 8)]
    outcomes = await asyncio.gather(*(made.send(sealed(made, record)) for record in some))

    assert outcomes == [DONE] * 7
    assert receiver.heard == [record.key for record in some]
    assert (receiver.busiest, made.bounds.at_once, made.bounds.records) == (1, 1, 1)
    await made.close()


async def test_a_receiver_that_hung_up_meanwhile_costs_no_message(receiver, served, tmp_path):
    made = destination(served, place(tmp_path))
    assert await made.send(sealed(made, records.alarm(1))) == DONE
    receiver.answers = ["drop"]
    assert (await made.send(sealed(made, records.alarm(2)))).verdict is Verdict.AGAIN
    assert await made.send(sealed(made, records.alarm(2))) == DONE
    assert list(receiver.taken) == [records.alarm(n).key for n in (1, 2)]
    await made.close()


def test_numbers_go_at_their_interval_and_alarms_always(served, tmp_path):
    made = destination(served, place(tmp_path), numbers_every_s=60)
    taken = [n for n in range(180) if made.takes(records.metrics(n))]

    assert len(taken) == 3
    assert [b - a for a, b in zip(taken, taken[1:], strict=False)] == [60, 60]
    assert made.takes(records.alarm(7))


def test_demo_goes_only_where_it_is_wanted_and_is_marked(served, tmp_path):
    demo = place(tmp_path, demo=True)
    record = records.metrics(1)

    assert not destination(served, demo).takes(record)
    made = destination(served, demo, demo=True)
    assert made.takes(record)
    assert parsed(sealed(made, record)).msh.msh_11.value == "T"
    marked = records.metrics(1)
    marked.body["demo_mode"] = True
    assert not destination(served, place(tmp_path)).takes(marked)


def parsed(message):
    found = parse_message(message.data.decode())
    assert found.validate()
    return found


def observed(message):
    """OBX by its code: value, unit, status, device."""
    rows = {}
    for observation in message.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation:
        obx = observation.obx
        rows[obx.obx_3.obx_3_1.value] = (obx.obx_5.value, obx.obx_6.obx_6_1.value, obx.obx_11.value)
    return rows


def test_a_message_of_numbers(served, tmp_path):
    made = destination(served, place(tmp_path, patient=lambda session: ERIKA), named_patients=True)
    record = records.metrics(7)
    record.body.update({"pr_ms": None, "st_uv": {"V2": -120.0}, "st_offset_ms": 60})
    found = parsed(sealed(made, record))
    rows = observed(found)

    assert found.msh.msh_9.value == "ORU^R01^ORU_R01"
    assert found.msh.msh_10.value == record.key
    assert found.msh.msh_7.value == "20250108123503.789+0000"
    assert found.msh.msh_21.value == "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
    assert rows["147842"] == ("67", "264864", "R")
    assert rows["146944"] == ("", "264338", "X")
    assert rows["st_j60.V2"] == ("-120", "266419", "R")
    assert rows["76635-2"][0] == "400"
    pid = found.oru_r01_patient_result.oru_r01_patient.pid
    assert (pid.pid_3.pid_3_1.value, pid.pid_5.value, pid.pid_7.value, pid.pid_8.value) == (
        "p-17",
        "Mustermann^Erika^^^^^L",
        "19500301",
        "F",
    )


def test_a_name_goes_only_where_it_may(served, tmp_path):
    where = place(tmp_path, patient=lambda session: ERIKA)
    message = sealed(destination(served, where), records.metrics(1))

    assert b"Mustermann" not in message.data
    assert b"19500301" not in message.data
    assert parsed(message).oru_r01_patient_result.oru_r01_patient.pid.pid_3.pid_3_1.value == "p-17"


def test_nobody_has_a_temporary_id_and_never_none(served, tmp_path):
    found = parsed(sealed(destination(served, place(tmp_path)), records.metrics(1)))

    assert found.oru_r01_patient_result.oru_r01_patient.pid.pid_3.pid_3_1.value == f"TEMP-{records.SESSION}"


def test_an_alarm_says_its_phase_its_priority_and_its_words(served, tmp_path):
    record = records.alarm(1)
    record.body.update({"value": 160.0, "limit": 120.0, "unit": "bpm", "text": "HR|160 ^ > 120 & \\ ~\nx"})
    message = sealed(destination(served, place(tmp_path)), record)
    rows = observed(parsed(message))

    assert rows["68481"][0] == "start"
    assert rows["68482"][0] == "active"
    assert rows["196616"][0].startswith("hr_high^")
    assert rows["hr_high.value"][:2] == ("160", "264864")
    assert rb"|HR\F\160 \S\ > 120 \T\ \E\ \R\\X0A\x|" in message.data


async def test_a_report_travels_as_one_line_of_base64(receiver, served, tmp_path):
    where = place(tmp_path)
    record, data = records.report(9, where, 300_001)
    made = destination(served, where)
    message = sealed(made, record)

    assert await made.send(message) == DONE
    (arrived,) = receiver.taken.values()
    assert arrived.startswith(message.data)
    found = parse_message(arrived.decode())
    last = found.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation[-1].obx
    assert last.obx_2.value == "ED"
    assert last.obx_5.value.startswith("^application^pdf^Base64^JVBERi0")
    assert len(data) > 300_000
    await made.close()


def test_every_number_of_the_contracts_has_a_name_and_a_unit_here():
    beside = {"qtc_ms", "qtc_method", "st_uv", "st_offset_ms", "sampling_rate_hz"}
    for message, fields in FIELDS.items():
        known = {
            name
            for name, field in CONTRACTS[message].model.model_fields.items()
            if "float" in str(field.annotation) or name.endswith(("_ms", "_bpm", "_pct", "_lpm"))
        }
        assert known - beside <= set(fields), message
        for name, unit in fields.values():
            assert CODED[name].unit == unit
            assert unit in UNITS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "10.0.0.7", "tls": False}, "in the clear"),
        ({"host": "h", "at_once": 2}, "at_once"),
        ({"host": "h", "port": 0}, "port"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, options, said):
    with pytest.raises(BadOptions, match=said):
        make("mllp", options, place(tmp_path))


@pytest.mark.parametrize(("believed", "verdict"), [("ward", Verdict.DONE), ("stranger", Verdict.PARKED)])
async def test_over_tls_only_to_a_receiver_that_is_believed(receiver, tmp_path, believed, verdict):
    where = place(tmp_path)
    authorities = {name: Authority(where.credentials, name) for name in ("ward", "stranger")}
    pair = authorities["ward"].pair("ehr", hosts=("127.0.0.1",))
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(pair.certificate, pair.key)
    with Served(receiver, trust) as served:
        made = destination(served, where, tls=True, ca_file=f"{believed}.crt")
        outcome = await made.send(sealed(made, records.alarm(1)))
        await made.close()

    assert outcome.verdict is verdict
    assert len(receiver.taken) == (verdict is Verdict.DONE)
