"""The box's own updates: when a bundle is refused, what is written down before and after, which slot is kept."""

from __future__ import annotations

import json
import subprocess

import pytest

from daemon.appliance import keeping, slots, update
from daemon.appliance.slots import Slot, Started, States
from daemon.cli import main
from daemon.cli import update as verb
from daemon.config import Config
from daemon.control.attached import DeviceState
from daemon.control.messages import BedState, State

INFO = json.dumps({"compatible": "vitald-amd64", "version": "2.0", "build": None})


class Program:
    """RAUC's program: what it is asked for, and what it answers."""

    def __init__(self, **answers):
        self.asked = []
        self.answers = answers
        self.seen = None

    def __call__(self, words, within_s):
        self.asked.append(words[1])
        answer = self.answers.get(words[1], (0, INFO if words[1] == "info" else "", ""))
        return answer() if callable(answer) else answer


@pytest.fixture
def config(tmp_path):
    (tmp_path / "data").mkdir()
    return Config(box={"data": tmp_path / "data", "run": tmp_path / "run"})


def rauc(program, slot="A"):
    return update.Rauc("/bin/true", program, lambda: Started(slot, new=False, spent=False))


def test_all_of_a_bundle_is_read_before_a_byte_is_written(config, tmp_path):
    program = Program()
    found = update.install(config, rauc(program), tmp_path / "x.raucb", ["1/ecg"])
    assert program.asked == ["info", "extract", "install"]
    assert found.version == "2.0"
    last = keeping.told(config)
    assert (last["slot"], last["to"], last["streaming"]) == ("B", "2.0", ["1/ecg"])
    assert "installed_at" in last


@pytest.mark.parametrize("step", ["info", "extract"])
def test_a_wrong_signature_or_a_damaged_payload_ends_it_before_the_slot_is_touched(config, tmp_path, step):
    program = Program(**{step: (1, "", "rauc-Message: x\nFailed to verify: signature verification failed\n")})
    with pytest.raises(update.NotUsable, match="signature verification failed"):
        update.install(config, rauc(program), tmp_path / "x.raucb", [])
    assert "install" not in program.asked
    assert keeping.told(config) == {}


def test_what_must_be_so_afterwards_is_written_down_before_the_slot_is(config, tmp_path):
    seen = {}

    def cut():
        seen.update(keeping.told(config))
        return 1, "", "Error: no space left"

    with pytest.raises(update.NotUsable):
        update.install(config, rauc(Program(install=cut)), tmp_path / "x.raucb", ["1/ecg"])
    assert seen["streaming"] == ["1/ecg"]
    assert "installed_at" not in keeping.told(config)


def test_a_rauc_that_never_ends_is_named(config, tmp_path):
    def hangs():
        raise subprocess.TimeoutExpired("rauc", 1)

    with pytest.raises(update.NotUsable, match="did not come to its end"):
        rauc(Program(info=hangs)).info(tmp_path / "x.raucb")


def test_without_rauc_or_slots_it_says_so(tmp_path):
    with pytest.raises(update.NoSlots, match="not there"):
        update.Rauc(str(tmp_path / "none")).info(tmp_path / "x")
    with pytest.raises(update.NoSlots, match="not started from a slot"):
        update.Rauc("/bin/true", Program(), lambda: None).now()


def test_one_goes_back_only_to_what_was_good(config, tmp_path):
    slots.write(States(), tmp_path)
    with pytest.raises(update.NotUsable, match="slot B is bad"):
        update.rollback(config, rauc(Program()), tmp_path)
    slots.write(States(("B", "A"), Slot("good", 1), Slot("good", 3)), tmp_path)
    assert update.rollback(config, rauc(Program(), "B"), tmp_path) == "A"
    assert slots.read(tmp_path).primary() == "A"
    assert "rolled_back_at" in keeping.told(config)


# --- which slot is kept -----------------------------------------------------------------------------------------

WELL = {
    "vitald-health": {"ActiveState": "active"},
    "vitald": {"NRestarts": "0"},
    "vitald-sound": {"NRestarts": "0"},
}


def test_a_slot_is_kept_when_all_is_as_before():
    assert list(keeping.not_kept(["1/ecg"], ["1/ecg", "2/oxy"], WELL)) == []
    assert "1/ecg streamed before" in next(keeping.not_kept(["1/ecg"], [], WELL))
    again = WELL | {"vitald": {"NRestarts": "2"}}
    found = list(keeping.not_kept([], [], again))
    assert "begun anew 2 times" in found[0]
    assert keeping.hopeless(found)
    failed = list(
        keeping.not_kept([], [], WELL | {"vitald-health": {"ActiveState": "failed", "Result": "exit-code"}})
    )
    assert keeping.hopeless(failed)
    starting = list(keeping.not_kept([], [], WELL | {"vitald-health": {"ActiveState": "activating"}}))
    assert starting
    assert not keeping.hopeless(starting)


def test_a_new_slot_that_is_not_well_is_left_and_one_that_was_good_is_not(config, monkeypatch):
    keeping.tell(config, slot="B", before="1.0", to="2.0")
    assert keeping.settle(config, Started("B", new=True, spent=False), ["the store fails"]) == 1
    assert keeping.told(config)["failed"] == ["the store fails"]
    assert keeping.settle(config, Started("A", new=False, spent=False), ["the store fails"]) == 0


@pytest.fixture
def boot(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(keeping, "keep", lambda now, write=keeping.keep: write(now, tmp_path))
    return tmp_path


def test_a_new_slot_that_is_well_is_good_from_then_on(config, boot):
    slots.write(States().preferred("B"), boot)
    keeping.tell(config, slot="B", before="1.0", to="2.0")
    started = Started("B", new=True, spent=False)
    assert update.status(config, boot, lambda: started).new
    assert keeping.settle(config, started, []) == 0
    assert slots.read(boot).b == Slot("good", 3)
    assert "kept_at" in keeping.told(config)
    assert not update.status(config, boot, lambda: started).new, "it is on trial no longer"


def test_the_old_slot_says_that_it_has_returned(config, boot):
    tried = States(("B", "A"), Slot("good", 2), Slot("new", 0))
    slots.write(tried, boot)
    keeping.tell(config, slot="B", before="1.0", to="2.0")
    keeping.settle(config, Started("A", new=False, spent=False), [])
    assert slots.read(boot) == States(("A", "B"), Slot("good", 3), Slot("bad", 0))
    told = update.status(config, boot, lambda: Started("A", new=False, spent=False))
    assert not told.well
    assert "returned_at" in told.last


def test_an_update_that_waits_for_its_restart_is_no_return(config, boot):
    waiting = States(("B", "A"), Slot("good", 3), Slot("new", 1))
    slots.write(waiting, boot)
    keeping.keep(Started("A", new=False, spent=False))
    assert slots.read(boot) == waiting


# --- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path / "run"}"\n')
    return path


def test_a_machine_without_slots_is_told_what_to_do(file, capsys):
    assert main(["update", "--config", str(file)]) == 0
    assert "apt install" in capsys.readouterr().out
    assert main(["update", "status", "--json", "--config", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["running"] is None


def test_it_is_refused_while_somebody_is_admitted_unless_forced(file, tmp_path, capsys, monkeypatch):
    bundle = tmp_path / "x.raucb"
    bundle.write_bytes(b"x")
    monkeypatch.setattr(verb, "admitted", lambda *_: ["1"])
    monkeypatch.setattr(verb.os, "geteuid", lambda: 0)
    done = []
    made = rauc(Program())
    monkeypatch.setattr(verb.update, "Rauc", lambda: made)
    monkeypatch.setattr(
        verb.update, "install", lambda *words: done.append(words) or update.Bundle("2.0", "x")
    )
    assert main(["update", "install", str(bundle), "--config", str(file)]) == 1
    assert "admitted (1)" in capsys.readouterr().out
    assert done == []
    assert main(["update", "rollback", "--config", str(file)]) == 1
    assert main(["update", "install", str(bundle), "--force", "--config", str(file)]) == 0
    assert len(done) == 1


def test_what_is_not_there_or_not_said_is_bad_input(file, tmp_path, capsys):
    assert main(["update", "verify", str(tmp_path / "none.raucb"), "--config", str(file)]) == 2
    assert main(["update", "verify", "--config", str(file)]) == 2
    assert main(["update", "check", "--config", str(file)]) == 2
    assert "update.url is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"kept_at": "T"}, "kept since T"),
        ({"installed_at": "T"}, "systemctl reboot"),
        ({"begun_at": "T"}, "broken off"),
        ({"installed_at": "T", "failed": ["the store fails"]}, "the store fails"),
        ({"installed_at": "T", "returned_at": "T"}, "has returned"),
        ({"kept_at": "T", "rolled_back_at": "U"}, "by hand at U"),
    ],
)
def test_the_last_update_is_told_in_one_line(last, said):
    assert said in verb.outcome({"before": "1.0", "to": "2.0"} | last)


def test_streaming_names_bed_and_device():
    devices = [
        DeviceState.model_construct(label=name, state=state)
        for name, state in (("ecg", "streaming"), ("oxy", "lost"))
    ]
    state = State.model_construct(beds=[BedState.model_construct(bed="1", devices=devices)])
    assert keeping.streaming(state) == ["1/ecg"]
