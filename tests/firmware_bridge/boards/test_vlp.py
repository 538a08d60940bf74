"""The VLP board: golden frames decoded, dictionaries, events, restarts of the device, and settings in two steps."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.boards import BOARDS, Commanded, vlp
from firmware_bridge.frames import (
    Damage,
    Identity,
    Leads,
    Number,
    Quantity,
    Reply,
    Samples,
    Setting,
    Settings,
    Status,
)
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import BITS, CODE, CONFIRM, PROPOSE, SAY_HELLO, Entry, Hello, Offer
from firmware_bridge.vlp.wire import ACK_WANTED, AGAIN, Letter, Opener, Type, sealed, wrapped
from firmware_bridge.vlp.wire import Status as Answer

MS = 1_000_000
SECOND = 1000 * MS
HELLO, DICT, SAMPLES, LOG = (
    bytes.fromhex(golden)
    for golden in (
        "03 01 01 01 01 01 01 01 01 03 02 02 01 12 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 1C A5 01 0E 04 76 73 69 6D 03 31 2E 30 64 A5 D1 83 00",
        "03 01 02 01 02 01 01 01 02 01 02 02 03 01 01 01 01 07 C8 41 6F 12 03 3B 01 01 01 01 01 01 01 0D 04 66 6C 6F 77 03 4C 2F 73 01 01 01 01 01 03 80 3F 01 03 80 3F 01 01 01 01 01 01 01 0C 04 73 70 6F 32 01 25 D2 31 D6 44 00",
        "03 01 10 01 02 07 01 01 02 01 01 05 04 40 42 0F 01 01 01 01 01 01 04 6A FF FA 07 F4 01 76 E4 EA 24 00",
        "03 01 40 01 02 0C 01 01 05 02 87 D6 12 01 01 01 01 0D 70 72 6F 62 65 20 6F 6B 09 3D B8 D3 00",
    )
)
ECG = tuple(Entry(ch, 1, 0, 500.0, 0.001, 0.0, 0.0, lead, "mV") for ch, lead in enumerate(("I", "II")))
ELECTRODES = Entry(9, 1, BITS, 0.0, 1.0, 0.0, 0.0, "electrodes", "RA|LA|LL")
MODE = Entry(10, 0, CODE, 0.0, 1.0, 0.0, 0.0, "mode", "Standby|CPAP")
SPO2 = Entry(11, 1, 0, 0.0, 0.1, 0.0, 0.0, "spo2", "%")
WHO = Hello(512, 7, b"CPAP-2301-9912\0\0", 5, "VT-30", "2.1")
PRESSURE = Offer(1, 4_000, 20_000, 200, 10_000, "target_pressure", "cmH2O")


class Script:
    """A device in a test's hands: numbers its frames."""

    def __init__(self) -> None:
        self.sequence = 0

    def say(self, kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
        self.sequence += 1
        return sealed(kind, self.sequence - 1, payload, flags)

    def hello(self, said: Hello = WHO) -> bytes:
        return self.say(Type.HELLO, messages.hello(said))

    def dictionary(self, *entries: Entry, number: int = 1) -> bytes:
        return self.say(Type.DICT, messages.dictionary(number, entries))

    def rows(self, first: int, values: list[list[int]], *, number: int = 1) -> bytes:
        return self.say(Type.ROWS, messages.rows(number, 0, first * 2000, np.array(values, "<i2")))

    def event(self, entry: Entry, value: int) -> bytes:
        raw = np.array([value]).astype(messages.TYPES[entry.type])
        return self.say(Type.SAMPLES, messages.samples(1, entry.ch, 0, raw))


def heard(data: bytes) -> list[Letter]:
    return [piece for piece in Opener().cut(data) if isinstance(piece, Letter)]


def said(board: vlp.Vlp, now_ns: int, kind: Type) -> list[Letter]:
    return [letter for letter in heard(board.due(now_ns) or b"") if letter.type == kind]


def acquainted(*entries: Entry) -> tuple[vlp.Vlp, Script, list]:
    """A board that knows its device."""
    board, device = vlp.board({}), Script()
    board.opened(0)
    return board, device, board.feed(device.hello() + device.dictionary(*entries), MS)


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


def settable() -> tuple[vlp.Vlp, Script]:
    board, device, _ = acquainted(*ECG)
    foreign = Offer(3, 0, 1000, 1000, 0, "factory_reset", "1")
    wrong = Offer(4, 0, 1000, 1000, 0, "flow_rate", "m3/h")
    frames = board.feed(device.say(Type.SETTINGS, messages.settings((PRESSURE, foreign, wrong))), SECOND)
    assert frames == [Settings((("target_pressure", "10"),))]
    board.due(SECOND)
    return board, device


def asked(board: vlp.Vlp, now_ns: int) -> tuple[Letter, int, str]:
    (letter,) = said(board, now_ns, Type.COMMAND)
    number, _, argument = messages.read_command(letter.payload)
    return letter, number, argument


def answer(board: vlp.Vlp, device: Script, letter: Letter, status: int, text: str = "") -> list:
    return board.feed(device.say(Type.ACK, messages.ack(letter.sequence, status, text)), 2 * SECOND)


def test_only_what_is_ours_to_set_is_offered():
    board, _ = settable()

    assert isinstance(board, Commanded)
    assert board.settable == (Setting("target_pressure", "cmH2O", 4.0, 20.0, 0.2),)
    assert [kind for kind in BOARDS if isinstance(BOARDS[kind].board({}), Commanded)] == ["vlp"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("target_pressure", 3.8, "out_of_range"),
        ("target_pressure", 20.2, "out_of_range"),
        ("target_pressure", 10.1, "out_of_range"),
        ("target_pressure", float("nan"), "out_of_range"),
        ("target_pressure", float("inf"), "out_of_range"),
        ("factory_reset", 1.0, "unknown_setting"),
        ("flow_rate", 1.0, "unknown_setting"),
    ],
)
def test_what_the_device_does_not_offer_is_not_begun(name, value, why):
    board, _ = settable()

    assert board.command("r", name, value, SECOND) == why
    assert said(board, SECOND, Type.COMMAND) == []


def test_a_setting_goes_in_two_steps():
    board, device = settable()
    assert board.command("r", "target_pressure", 12.4, SECOND) == ""
    assert board.command("r2", "target_pressure", 12.6, SECOND) == "busy"
    proposal, number, argument = asked(board, SECOND)
    assert (number, argument, proposal.flags) == (PROPOSE, "target_pressure=12.4", ACK_WANTED)
    assert answer(board, device, proposal, Answer.OK, "target_pressure=12.4") == []
    confirmation, number, argument = asked(board, 2 * SECOND)
    assert (number, argument) == (CONFIRM, "target_pressure=12.4")
    frames = answer(board, device, confirmation, Answer.OK)

    assert frames == [Reply("r", ok=True, text="12.4")]
    assert board.lapsed(100 * SECOND) == []
    assert board.command("r3", "target_pressure", 12.6, 3 * SECOND) == ""


@pytest.mark.parametrize("echo", ["target_pressure=12.6", "humidity_level=12.4", "", "12.4"])
def test_an_echo_that_differs_is_never_confirmed(echo):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    (reply,) = answer(board, device, asked(board, SECOND)[0], Answer.OK, echo)

    assert not reply.ok
    assert reply.text.startswith("echo_differs")
    assert said(board, 3 * SECOND, Type.COMMAND) == []


@pytest.mark.parametrize("step", [1, 2])
def test_a_refusal_at_either_step_ends_it_in_the_devices_words(step):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    letter = asked(board, SECOND)[0]
    if step == 2:
        answer(board, device, letter, Answer.OK, "target_pressure=12.4")
        letter = asked(board, 2 * SECOND)[0]

    assert answer(board, device, letter, Answer.REFUSED, "the mask is off") == [
        Reply("r", ok=False, text="the mask is off")
    ]


@pytest.mark.parametrize(
    ("status", "text"), [(1, "unknown_setting"), (3, "bad_argument"), (4, "busy"), (77, "refused")]
)
def test_a_status_without_words_has_ours(status, text):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)

    assert answer(board, device, asked(board, SECOND)[0], status) == [Reply("r", ok=False, text=text)]


def test_without_an_answer_it_is_asked_again_under_its_number_and_then_given_up():
    board, _ = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    letters = {ms: found for ms in range(1000, 3000, 20) for found in said(board, ms * MS, Type.COMMAND)}
    assert list(letters) == [1000 + 260 * k for k in range(8)]
    assert len({letter.sequence for letter in letters.values()}) == 1
    assert [letter.flags & AGAIN for letter in letters.values()] == [0] + [AGAIN] * 7
    assert board.lapsed(2999 * MS) == []

    assert board.lapsed(3000 * MS) == [Reply("r", ok=False, text="no_answer")]
    assert said(board, 3020 * MS, Type.COMMAND) == []


def test_a_device_that_starts_anew_has_forgotten_what_it_was_asked():
    board, _ = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    frames = board.feed(Script().hello(Hello(512, 7, WHO.unit, 77, "VT-30", "2.1")), 2 * SECOND)

    assert Reply("r", ok=False, text="device_restarted") in frames
    assert board.settable == ()
    assert board.command("r2", "target_pressure", 12.4, 2 * SECOND) == "unknown_setting"
