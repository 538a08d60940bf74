"""An update that waits until nobody is admitted: what starts next meanwhile, when it is tried, how it is taken back; what the doctor says of slots."""

from __future__ import annotations

import json

import pytest

from daemon.appliance import keeping, slots, update, waiting
from daemon.appliance.doctor import RUN
from daemon.appliance.slots import Slot, Started, States
from daemon.appliance.surroundings import Surroundings
from daemon.cli import main
from daemon.cli import update as verb
from daemon.config import Config
from daemon.control.messages import BedState, State

A = Started("A", new=False, spent=False)
INSTALLED = States(("B", "A"), Slot("good", 3), Slot("new", 1))
"""As RAUC leaves them: the new slot is started next."""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "data").mkdir()
    return Config(box={"data": tmp_path / "data", "run": tmp_path / "run"})


@pytest.fixture
def written(config, tmp_path):
    """An update in slot B that waits."""
    slots.write(INSTALLED, tmp_path)
    keeping.tell(config, slot="B", before="1.0", to="2.0", streaming=["1/ecg"], installed_at="T")
    waiting.begin(config, A, tmp_path)
    return tmp_path


def state(*admitted):
    beds = [
        BedState.model_construct(bed=str(n), devices=[], patient=object() if here else None)
        for n, here in enumerate(admitted)
    ]
    return State.model_construct(beds=beds)


def test_a_power_cut_while_it_waits_starts_the_slot_of_before_and_loses_no_try(config, written):
    assert slots.read(written).primary() == "A"
    assert slots.read(written).b == Slot("new", 1)
    keeping.keep(A, written)
    assert slots.read(written).b == Slot("new", 1), (
        "the start of before is found well: the new one is still there"
    )


def test_a_start_of_the_slot_of_before_is_no_return_while_it_waits(config, written, monkeypatch):
    monkeypatch.setattr(keeping, "KEPT", written / "kept")
    monkeypatch.setattr(keeping, "keep", lambda now, write=keeping.keep: write(now, written))
    assert keeping.settle(config, A, []) == 0
    assert "returned_at" not in keeping.told(config)
    assert waiting.waits(config)


def test_somebody_who_is_put_elsewhere_is_not_gone_and_silence_is_no_answer():
    quiet = waiting.Quiet()
    heard = [
        (0, True), (10, False), (200, False), (210, True), (220, False), (519, False), (520, None), (530, False), (829, False), (830, False),
    ]  # fmt: skip
    assert [t for t, here in heard if quiet.heard(admitted=here, now_s=t)] == [830]


async def test_it_is_tried_when_nobody_has_been_here_for_a_while(config, written):
    answers = iter([state(True), None, *[state(False, False)] * 62])
    now_s = iter(range(0, 10_000, 5))
    begun = []
    await waiting.until_started(config, A, lambda: next(answers), begun.append, lambda: next(now_s), look_s=0)
    assert begun == [[]]
    assert next(now_s) == 5 * (2 + 61), "five minutes after the first answer that nobody is here"

    waiting.start(config, A, ["1/ecg", "1/oxy"], written, restart=begun.append)
    assert begun[-1] is A
    assert slots.read(written).primary() == "B"
    assert not waiting.waits(config)
    assert keeping.told(config)["streaming"] == ["1/ecg", "1/oxy"], "what streams when the box starts anew"


async def test_what_is_withdrawn_is_not_tried(config, written):
    assert waiting.withdraw(config, A, written) == "B"
    assert slots.read(written) == States(("A", "B"), Slot("good", 3), Slot("bad", 0))
    await waiting.until_started(config, A, lambda: pytest.fail("asked"), lambda _: pytest.fail("started"))
    with pytest.raises(update.NotUsable, match="no update waits"):
        waiting.withdraw(config, A, written)
    assert keeping.settle(config, A, ["x"]) == 0
    assert "returned_at" not in keeping.told(config)


def test_a_slot_that_is_not_new_is_never_started_whatever_was_written_down(config, tmp_path):
    slots.write(States(), tmp_path)
    keeping.tell(config, slot="B", waiting=True)
    waiting.start(config, A, [], tmp_path, restart=lambda _: pytest.fail("started"))
    assert slots.read(tmp_path) == States()
    assert not waiting.waits(config)


# --- the command, and the audit ---------------------------------------------------------------------------------


@pytest.fixture
def said(tmp_path, config, monkeypatch, capsys):
    """Says the verb as root on a box with slots; (exit code, what it printed). `.notes` went into the audit."""
    slots.write(States(), tmp_path)
    file = tmp_path / "vitald.toml"
    file.write_text(f'[box]\ndata = "{config.box.data}"\nrun = "{config.box.run}"\n')
    (tmp_path / "x.raucb").write_bytes(b"x")

    def program(words, _within_s):
        if words[1] == "install":
            slots.write(INSTALLED, tmp_path)
        return 0, json.dumps({"compatible": "x", "version": "2.0"}) if words[1] == "info" else "", ""

    class People:
        def __init__(self, _socket):
            pass

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

        async def note(self, note):
            say.notes.append((note.act, note.body))

    monkeypatch.setattr(verb.os, "geteuid", lambda: 0)
    monkeypatch.setattr(verb, "PeopleClient", People)
    monkeypatch.setattr(verb, "systemctl", lambda *words: say.asked.append(words) or "")
    made = update.Rauc("/bin/true", program, lambda: A)
    monkeypatch.setattr(verb.update, "Rauc", lambda: made)
    for name in ("begin", "withdraw"):
        act = getattr(waiting, name)
        monkeypatch.setattr(waiting, name, lambda *words, act=act: act(*words, tmp_path))

    def say(*words, admitted=()):
        monkeypatch.setattr(verb, "admitted", lambda *_: list(admitted))
        monkeypatch.setenv("SUDO_USER", "tom")
        code = main(["update", *words, "--config", str(file)])
        return code, capsys.readouterr().out

    say.notes, say.asked, say.bundle = [], [], str(tmp_path / "x.raucb")
    return say


def test_an_installation_with_a_patient_here_is_in_the_audit_with_who_and_what(said):
    assert said("install", said.bundle, admitted=["1"])[0] == 1
    assert said.notes == []
    assert said("install", said.bundle, "--force", admitted=["1"])[0] == 0
    assert said.notes == [
        ("update_installed", {"version": "2.0", "how": "forced", "beds": ["1"], "login": "tom"})
    ]


def test_when_discharged_writes_now_starts_the_unit_that_waits_and_can_be_taken_back(said, config, tmp_path):
    code, out = said("install", said.bundle, "--when-discharged", admitted=["1"])
    assert code == 0
    assert "update withdraw" in out
    assert said.asked == [("start", "--no-block", waiting.UNIT)]
    assert slots.read(tmp_path).primary() == "A"
    assert waiting.waits(config)
    assert said.notes[0][1]["how"] == "when_discharged"
    assert "waits" in verb.outcome(keeping.told(config))

    assert said("withdraw")[0] == 0
    assert not waiting.waits(config)
    assert "withdrawn" in verb.outcome(keeping.told(config))
    assert [act for act, _ in said.notes] == ["update_installed", "update_withdrawn"]
    assert said("withdraw")[0] == 1


@pytest.mark.parametrize("more", [("--force",), ("--restart",)])
def test_when_discharged_goes_with_nothing_that_means_now(said, more):
    assert said("install", said.bundle, "--when-discharged", *more)[0] == 2
    assert said("check", "--when-discharged")[0] == 2


# --- what the doctor finds ----------------------------------------------------------------------------------------

GOOD, BAD, NEW, TRIED = Slot("good", 3), Slot("bad", 0), Slot("new", 1), Slot("new", 0)
LAST = {"slot": "B", "before": "1.0", "to": "2.0", "begun_at": "T"}


@pytest.mark.parametrize(
    ("a", "b", "last", "expected"),
    [
        (GOOD, BAD, {}, None),  # as it came
        (GOOD, GOOD, LAST | {"slot": "A", "installed_at": "T", "kept_at": "T"}, None),
        (GOOD, NEW, LAST | {"installed_at": "T"}, "update.restart"),
        (GOOD, NEW, LAST | {"installed_at": "T", "waiting": True}, "update.waiting"),
        (GOOD, BAD, LAST | {"installed_at": "T", "waiting": False, "withdrawn_at": "T"}, "update.slot_bad"),
        (GOOD, BAD, LAST, "update.broken_off"),
        (GOOD, BAD, LAST | {"installed_at": "T", "failed": ["the store fails"], "returned_at": "T"}, "update.returned"),
        (GOOD, BAD, LAST | {"slot": "A", "installed_at": "T", "kept_at": "T"}, "update.slot_bad"),
        (GOOD, GOOD, LAST | {"installed_at": "T", "kept_at": "T", "rolled_back_at": "T"}, "update.restart"),
        (TRIED, BAD, {}, "update.no_good_slot"),
    ],
)  # fmt: skip
def test_each_state_of_the_slots_is_found_with_its_remedy(config, tmp_path, a, b, last, expected):
    slots.write(States(("A", "B"), a, b), tmp_path)
    if last:
        keeping.tell(config, **last)
    around = Surroundings(config, tmp_path, update=update.status(config, tmp_path, lambda: A))
    found = list(RUN["update"](around))
    assert [one.id for one in found] == ([expected] if expected else [])
    for one in found:
        assert "{" not in one.meaning + one.remedy
        assert "sudo vitald" in one.remedy or "systemctl reboot" in one.remedy


def test_slots_that_cannot_be_read_and_a_start_without_a_try_are_found(config, tmp_path):
    def found(started):
        told = update.status(config, tmp_path, lambda: started)
        return [one.id for one in RUN["update"](Surroundings(config, tmp_path, update=told))]

    assert found(A) == ["update.unreadable"]
    slots.write(States(), tmp_path)
    assert found(A) == []
    assert found(Started("A", new=False, spent=True)) == ["update.no_good_slot"]
    assert found(None) == [], "a machine without slots"
