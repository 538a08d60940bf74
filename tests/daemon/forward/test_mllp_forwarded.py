"""From the store to an HL7 receiver through the whole forwarder: what its answers do to what is stored, and nothing lost or twice."""

from __future__ import annotations

from collections import Counter

from hl7apy.parser import parse_message

from daemon.forward import ledger
from tests.daemon.exchange.recorded_house import ERIKA, record
from tests.daemon.forward.destinations.mllp_server import Receiver, Served
from tests.daemon.forward.running import all_done, forwarding, to, until


async def sent(configured, receiver, **options):
    """All that the store has goes to the receiver; the seqs in quarantine. `options` of the destination."""
    with Served(receiver) as served:
        config = configured(
            to(
                "ehr",
                "mllp",
                host="127.0.0.1",
                port=served.port,
                tls=False,
                numbers_every_s=1,
                timeout_s=2,
                **options,
            )
        )
        await record(config.box.data, 8)
        async with forwarding(config) as forwarder:
            await until(all_done(forwarder, "ehr"), within_s=60)
            identity = forwarder.senders["ehr"].id
            return await forwarder.books.do(
                lambda db: [entry.seq for entry in ledger.quarantine(db, identity)]
            )


async def test_what_is_stored_arrives_once_with_its_patient(configured):
    receiver = Receiver()
    assert await sent(configured, receiver, named_patients=True) == []
    messages = [parse_message(data.decode()) for data in receiver.taken.values()]
    assert len(messages) == 8
    assert max(Counter(receiver.heard).values()) == 1
    assert receiver.busiest == 1
    for message in messages:
        pid = message.oru_r01_patient_result.oru_r01_patient.pid
        assert (pid.pid_3.pid_3_1.value, pid.pid_5.value) == (ERIKA["patient_id"], "Müller-Žák^Erika^^^^^L")


async def test_one_that_is_refused_is_set_aside_and_the_others_arrive(configured):
    receiver = Receiver()
    receiver.answers = ["AA", "AE:101"]
    (seq,) = await sent(configured, receiver)
    assert len(receiver.taken) == 7
    assert seq > 0


async def test_half_an_answer_and_a_line_that_ends_cost_nothing(configured):
    receiver = Receiver()
    receiver.answers = ["half and drop", "AA", "drop", "other", "garbage"]
    assert await sent(configured, receiver) == []
    assert len(receiver.taken) == 8
    assert Counter(Counter(receiver.heard).values())[1] >= 5
