"""The VLP board: golden frames decoded, dictionaries, events, restarts of the device."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.boards import vlp
from firmware_bridge.frames import (
    Damage,
    Identity,
    Leads,
    Number,
    Quantity,
    Samples,
    Settings,
    Status,
)
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import SAY_HELLO, Entry, Hello
from firmware_bridge.vlp.wire import ACK_WANTED, AGAIN, Type, sealed, wrapped
from firmware_bridge.vlp.wire import Status as Answer
from tests.firmware_bridge.boards.vlp_script import (
    DICT,
    ECG,
    ELECTRODES,
    HELLO,
    LOG,
    MODE,
    MS,
    SAMPLES,
    SECOND,
    SPO2,
    WHO,
    Script,
    acquainted,
    heard,
    said,
)


def test_the_golden_frames_are_understood():
    board = vlp.board({})
    frames = board.feed(HELLO + DICT + SAMPLES + LOG, SECOND)
    identity, leads, samples, log = frames

    assert identity == Identity("vlp", "00112233445566778899aabbccddeeff", "1.0", "vsim")
    assert leads == Leads(())
    assert log == Settings((("log", "2 probe ok"),))
    (spec,) = board.facts.streams
    (flow,) = spec.channels
    assert (spec.name, spec.rate_hz, flow.quantity, flow.unit) == ("flow", 25.0, Quantity.FLOW, "L/s")
    physical = (samples.counts - flow.offset) * flow.gain
    assert physical[0].tolist() == pytest.approx([0.0, -0.30, 0.50, 1.00])


def test_a_slow_number_of_the_golden_dictionary_is_a_number():
    board = vlp.board({})
    board.feed(HELLO + DICT, 0)
    spo2 = sealed(Type.SAMPLES, 2, messages.samples(1, 1, 0, np.array([97], "<i2")))

    assert board.feed(spo2, SECOND) == [Number("spo2", 97.0, "%")]


def test_at_the_opening_it_asks_who_is_there_until_it_knows():
    board, device = vlp.board({}), Script()
    board.opened(0)
    asked = [now for now in range(0, 3500, 20) if said(board, now * MS, Type.COMMAND)]
    assert asked == [0, 1000, 2000, 3000]
    board.feed(device.hello() + device.dictionary(*ECG) + device.say(Type.SETTINGS, b"\0\0"), 3500 * MS)

    assert [n for n in range(3500, 9000, 20) if said(board, n * MS, Type.COMMAND)] == [
        3500
    ]  # the settings, once


def test_a_port_that_was_not_opened_is_not_written_to():
    board = vlp.board({})
    board.feed(HELLO + DICT + SAMPLES, 0)

    assert board.due(10 * SECOND) is None


def test_a_dictionary_in_parts_is_one():
    board, device = vlp.board({}), Script()
    entries = (*ECG, SPO2)
    parts = [device.say(Type.PART, messages.part(7, at, 3, (entry,))) for at, entry in enumerate(entries)]
    assert board.feed(parts[0] + parts[2], 0) == []
    assert board.facts.streams == ()
    board.feed(device.say(Type.PART, messages.part(7, 1, 3, (ECG[1],))), 0)

    assert [c.name for c in board.facts.streams[0].channels] == ["I", "II"]


def test_samples_before_their_dictionary_are_kept_for_two_seconds():
    board, device = vlp.board({}), Script()
    board.opened(0)
    hello, late, kept = device.hello(), device.rows(0, [[1, 2]]), device.rows(1, [[3, 4]])
    board.feed(hello + late, 0)
    board.feed(kept, SECOND)
    frames = board.feed(device.dictionary(*ECG), 2500 * MS)

    assert [f.counts.tolist() for f in frames if isinstance(f, Samples)] == [[[3], [4]]]
    assert Damage(len(late), "no dictionary") in frames


def test_channels_of_one_kind_and_rate_are_a_stream_each():
    leak = Entry(3, 1, 0, 25.0, 0.1, 0.0, 0.0, "leak", "L/min")
    fast = Entry(4, 1, 0, 100.0, 0.01, 0.0, 0.0, "pressure", "cmH2O")
    flow = Entry(5, 1, 0, 25.0, 0.002, 0.0, 0.0, "flow", "L/s")
    odd = Entry(6, 1, 0, 10.0, 0.5, 3.0, 0.0, "wibble", "furlong")
    strange = Entry(7, 1, 0, 0.0, 1.0, 0.0, 0.0, "wobble", "furlong")
    board, _, frames = acquainted(leak, fast, flow, odd, strange, SPO2)

    names = {s.name: [c.name for c in s.channels] for s in board.facts.streams}
    assert names == {"flow": ["leak", "flow"], "flow 100 Hz": ["pressure"], "wibble": ["wibble"]}
    channel = board.facts.streams[2].channels[0]
    assert (channel.quantity, channel.unit) == (Quantity.OTHER, "1")
    assert (10 - channel.offset) * channel.gain == pytest.approx(10 * 0.5 + 3)
    assert Settings((("ignored", "wobble (furlong)"),)) in frames


@pytest.mark.parametrize(
    ("kind", "low", "high"), [(0, -1, 256), (1, -(2**15), 2**15 - 1), (2, -(2**31), 2**31 - 1)]
)
def test_a_value_that_the_device_does_not_have_stands_at_a_rail(kind, low, high):
    board, device, _ = acquainted(Entry(0, kind, 0, 75.0, 1.0, 0.0, 0.0, "pleth", "1"))
    dtype = messages.TYPES[kind]
    values = np.array([np.iinfo(dtype).min, 5], dtype)
    (samples,) = board.feed(device.say(Type.SAMPLES, messages.samples(1, 0, 10**6, values)), SECOND)
    channel = board.facts.streams[0].channels[0]

    assert (channel.low, channel.high) == (low, high)
    assert samples.counts.tolist() == [[0 if kind == 0 else low, 5]]


def test_floats_are_counted_in_fine_steps():
    board, device, _ = acquainted(Entry(0, 3, 0, 75.0, 2.0, 1.0, 0.0, "pleth", "1"))
    values = np.array([0.0, 0.1234567, -3.5, np.nan, np.inf, 1e30], "<f4")
    (samples,) = board.feed(device.say(Type.SAMPLES, messages.samples(1, 0, 10**6, values)), SECOND)
    channel = board.facts.streams[0].channels[0]
    physical = (samples.counts[0] - channel.offset) * channel.gain

    assert physical[:3].tolist() == pytest.approx([1.0, 1.2469134, -6.0], abs=2**-15)
    assert samples.counts[0, 3:].tolist() == [channel.low, channel.high, channel.high]


def test_events_are_numbers_states_and_electrodes():
    board, device, _ = acquainted(*ECG, ELECTRODES, MODE, SPO2)
    data = device.event(SPO2, 973) + device.event(SPO2, -(2**15)) + device.event(MODE, 1)

    assert board.feed(data + device.event(MODE, 7) + device.event(ELECTRODES, 0b101), SECOND) == [
        Number("spo2", 97.3, "%"),
        Number("spo2", None, "%"),
        Status("mode", "CPAP"),
        Status("mode", "7"),  # a word that the dictionary does not have
        Leads((("RA", True), ("LA", False), ("LL", True))),
    ]


def test_electrodes_stand_before_the_samples_they_hold_for():
    board, device, _ = acquainted(*ECG, ELECTRODES)
    data = device.rows(0, [[1, 1]]) + device.event(ELECTRODES, 3) + device.rows(1, [[2, 2]])

    assert [type(f) for f in board.feed(data, SECOND)] == [Samples, Leads, Samples]


def test_another_dictionary_waits_until_what_was_given_is_taken():
    board, device, _ = acquainted(*ECG)
    data = device.rows(0, [[1, 1]]) + device.dictionary(*ECG, SPO2, ELECTRODES, number=2)
    data += device.rows(1, [[2, 2]], number=2)
    board.feed(data, SECOND)
    three = tuple(Entry(ch, 1, 0, 500.0, 0.001, 0.0, 0.0, n, "mV") for ch, n in enumerate(("I", "II", "V1")))
    more = device.rows(2, [[3, 3]], number=2) + device.dictionary(*three, number=3)
    frames = board.feed(more + device.rows(3, [[4, 4, 4]], number=3), SECOND)
    assert [f.counts.shape for f in frames if isinstance(f, Samples)] == [(2, 1)]
    assert len(board.facts.streams[0].channels) == 2
    frames = board.feed(b"", SECOND)

    assert [f.counts.tolist() for f in frames if isinstance(f, Samples)] == [[[4], [4], [4]]]
    assert len(board.facts.streams[0].channels) == 3


def test_a_missing_frame_is_asked_for_and_put_in_its_place():
    board, device, _ = acquainted(*ECG)
    one, two, three = (device.rows(n, [[n, n]]) for n in range(3))
    frames = board.feed(one, SECOND) + board.feed(three, SECOND)
    assert [f.counts[0, 0] for f in frames] == [0]
    (asked,) = said(board, SECOND + 50 * MS, Type.RESEND)
    assert messages.read_resend(asked.payload) == (3, 3)
    again = sealed(Type.ROWS, 3, heard(two)[0].payload, AGAIN)
    frames = board.feed(again, SECOND + 60 * MS)

    assert [(f.counts[0, 0], f.lost) for f in frames] == [(1, 0), (2, 0)]


def test_a_frame_that_stays_missing_is_a_gap():
    board, device, _ = acquainted(*ECG)
    board.feed(device.rows(0, [[0, 0]]), SECOND)
    device.rows(1, [[1, 1]] * 4)
    board.feed(device.rows(5, [[5, 5]]), SECOND)
    (samples,) = board.feed(b"", 2 * SECOND)

    assert (samples.lost, samples.counts[0].tolist()) == (4, [5])


def test_a_new_boot_resets_numbers_dictionary_and_clock():
    board, device, _ = acquainted(*ECG)
    board.feed(device.rows(0, [[1, 1]]), SECOND)
    ping = said(board, SECOND, Type.PING)[0]
    t1 = messages.read_ping(ping.payload)
    board.feed(device.say(Type.PONG, messages.pong(t1, 10**6, 10**6)), SECOND + 2 * MS)
    assert board.clock.known
    fresh = Script()
    frames = board.feed(fresh.hello(Hello(512, 3, WHO.unit, 6, "VT-30", "2.2")), 11 * SECOND)
    assert frames == [Identity("vlp", "CPAP-2301-9912", "2.2", "VT-30")]
    assert not board.clock.known
    board.feed(fresh.rows(0, [[7, 7]]), 11 * SECOND)  # of a dictionary that is not known any more
    frames = board.feed(fresh.dictionary(*ECG), 11 * SECOND)

    (samples,) = [f for f in frames if isinstance(f, Samples)]
    assert samples.counts.tolist() == [[7], [7]]
    assert samples.lost == pytest.approx(5000, abs=2)  # ten seconds by our own clock


def test_a_restart_whose_hello_was_lost_is_noticed_and_asked_about():
    board, device, _ = acquainted(*ECG)
    for n in range(40):
        board.feed(device.rows(n, [[n, n]]), SECOND)
    board.due(SECOND)
    fresh = Script()
    fresh.hello()  # nobody hears it
    frames = [f for n in range(4) for f in board.feed(fresh.rows(n, [[n, n]]), 2 * SECOND)]
    assert all(isinstance(f, Damage) for f in frames)
    assert messages.read_command(said(board, 2 * SECOND, Type.COMMAND)[0].payload)[0] == SAY_HELLO
    board.feed(fresh.hello(Hello(512, 3, WHO.unit, 9, "VT-30", "2.1")) + fresh.dictionary(*ECG), 2 * SECOND)

    assert [type(f) for f in board.feed(fresh.rows(9, [[9, 9]]), 2 * SECOND)] == [Samples]


def test_frames_that_want_an_answer_get_one():
    board, device, _ = acquainted(*ECG)
    known, unknown = device.say(Type.LOG, bytes(9), ACK_WANTED), device.say(0x77, b"", ACK_WANTED)
    board.feed(known + unknown + device.say(0x78) + wrapped(bytes([2, 1, 0, 0, 99, 0, 0, 0])), SECOND)

    assert [messages.read_ack(a.payload)[:2] for a in said(board, SECOND, Type.ACK)] == [
        (2, Answer.OK),
        (3, Answer.UNKNOWN),
        (99, Answer.VERSION),
    ]


@pytest.mark.parametrize("cut", range(40))
def test_a_payload_cut_short_is_damage(cut):
    board, device, _ = acquainted(*ECG)
    whole = {
        Type.DICT: messages.dictionary(2, (SPO2,)),
        Type.ROWS: messages.rows(1, 0, 0, np.ones((9, 2), "<i2")),
    }
    for kind, payload in whole.items():
        if cut < len(payload) - 1:
            wire = device.say(kind, payload[:cut])
            assert board.feed(wire, SECOND) == [Damage(len(wire), "malformed")]


def test_stamps_are_the_samples_times_and_not_their_arrivals():
    board, device, _ = acquainted(*ECG)
    t1 = messages.read_ping(said(board, SECOND, Type.PING)[0].payload)
    board.feed(
        device.say(Type.PONG, messages.pong(t1, 400_000, 400_000)), SECOND
    )  # device time 0.4 s is 1 s of ours
    (samples,) = board.feed(device.rows(250, [[1, 1]] * 10), SECOND + 150 * MS)

    assert samples.arrived_ns == pytest.approx(SECOND + 100 * MS + 9 * 2 * MS, abs=MS // 100)


# --- settings --------------------------------------------------------------------------------------------
