"""`vitald limits` and `vitald test-alarm`, over a control socket with a real alarm engine behind it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.cli import main
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.control.server import Server
from daemon.model.alarms import ChangeKind
from daemon.model.signals import Command, Tick
from daemon.words import say

S = 1_000_000_000


class Box:
    """A socket with one or two beds, in a thread of its own: each act is decided at once."""

    def __init__(self, folder, beds):
        display = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
        named = [(bed, bed, display) for bed in beds]
        self.hub = LiveHub(boot="b", version="1", box="Box", demo=True, beds=named, utc_ms=lambda: 0)
        self.watches = {
            bed: Watch(bed, lambda own, first: AlarmEngine(Limits(own=own), boot="b", first=first), print)
            for bed in beds
        }
        for bed, watch in self.watches.items():
            self.hub.watch(bed, watch)
        self.t_ns, self.acts = S, []
        tables = "".join(f"[beds.{bed}]\n" for bed in beds)
        self.config = folder / "vitald.toml"
        self.config.write_text(f'[box]\ndata = "{folder}"\nrun = "{folder}"\n{tables}')
        self.socket = folder / "control.sock"

    def _act(self, act):
        self.acts.append(act)
        self.t_ns += S // 10
        told = tuple(act.values.items())
        watch = self.watches[act.bed]
        watch.step(Command(act.id, self.t_ns, act.bed, "AK", act.verb, told))
        changes = watch.step(Tick(self.t_ns))
        refused = [c for c in changes if c.kind is ChangeKind.REFUSED]
        filled = {n: v if isinstance(v, str) else f"{v:g}" for c in refused for n, v in c.values}
        decided = asyncio.get_running_loop().create_future()
        decided.set_result(say(refused[0].text, **filled) if refused else "")
        return decided

    def __enter__(self):
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()

        def serve():
            asyncio.set_event_loop(self.loop)
            self.task = self.loop.create_task(Server(self.hub, self._act).run(self.socket, ready.set))
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.loop.close()

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        assert ready.wait(5)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(5)


@pytest.fixture
def box(tmp_path):
    with Box(tmp_path, ["1"]) as running:
        yield running


def vitald(box, *arguments):
    return main([*arguments[:1], "--config", str(box.config), *arguments[1:]])


def test_limits_are_shown_set_and_put_back(box, capsys):
    assert vitald(box, "limits") == 0
    assert "all limits are the default ones" in capsys.readouterr().out

    assert vitald(box, "limits", "hr_high.above=135", "hr_low.on=false") == 0
    out = capsys.readouterr().out
    assert "hr_high.above" in out
    assert "135 bpm (default 120), 60 to 295  HR HIGH" in out
    assert "hr_low.on                false (default true)" in out
    assert box.watches["1"].limits.value("hr_high", "above") == 135
    assert box.acts[0].values["screen"] == "command line"

    assert vitald(box, "limits", "1", "--default") == 0
    assert box.watches["1"].limits.differing == ()
    assert vitald(box, "limits", "--all") == 0
    assert "asystole.gap_s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["hr_high.above=400"], "Choose 60 to 295 bpm."),
        (["asystole.on=false"], "This alarm can never be off."),
        (["hr_high=400"], "a limit is set like hr_high.above=130"),
        (["9", "hr_high.above=130"], "which bed? There are: 1"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(box, capsys, given, said):
    assert vitald(box, "limits", *given) == 2
    assert said in capsys.readouterr().err
    assert box.watches["1"].limits.differing == ()


def test_a_test_alarm_goes_the_whole_way_and_is_marked(box, capsys):
    assert vitald(box, "test-alarm", "--priority", "medium") == 0
    assert "ALARM TEST, MEDIUM" in capsys.readouterr().out
    assert [alarm.row for alarm in box.watches["1"].picture().alarms] == ["test_medium"]


def test_of_several_beds_one_has_to_be_named(tmp_path, capsys):
    with Box(tmp_path, ["1", "2"]) as two:
        assert vitald(two, "test-alarm") == 2
        assert "There are: 1, 2" in capsys.readouterr().err
        assert vitald(two, "limits", "2", "hr_high.above=130") == 0
        assert two.watches["1"].limits.differing == ()
        assert two.watches["2"].limits.differing == ("hr_high",)


def test_without_a_daemon_it_is_one_line_and_not_well(tmp_path, capsys):
    config = tmp_path / "vitald.toml"
    config.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}"\n')
    assert main(["limits", "--config", str(config)]) == 1
    assert capsys.readouterr().out.startswith("the daemon does not answer")
