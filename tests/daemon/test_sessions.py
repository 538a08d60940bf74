"""Acts on patients and sessions, from the socket to both databases: real store, real box.db, alarms played by the test."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from daemon import audit
from daemon.control.acting import NobodyKnown, middleware
from daemon.control.client import NotAnswering
from daemon.control.sessions import SessionAct, SessionClient, SessionRoutes
from daemon.model.signals import Channel, Command, Quantity, SampleBlock, Segment, Stream
from daemon.patients import Patients
from daemon.sessions import Sessions
from daemon.store.acknowledged import Acknowledged
from daemon.store.box import BoxFile, ask_box
from daemon.store.reader import History, ask
from daemon.store.recorded import session
from daemon.store.writer import Writer

S = 10**9
UTC_NS = 1_736_339_696 * S
NAME = {"full_name": "John Doe", "age": "45"}


class House:
    """Store, box.db and registry of a box with beds 1 and 2; `refuse` is what alarms say to an act."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.now_ns = 10 * S
        self.refuse = ""
        self.limits: dict[str, dict[str, float | bool]] = {}
        self.commands: list[Command] = []
        self.shown: dict[str, str] = {}
        self.stream = Stream("ECG-1", "ecg", 500.0, (Channel("II", Quantity.ECG, "mV", 0.005),))

    async def __aenter__(self):
        acknowledged = Acknowledged()
        self.writer = Writer(
            self.folder / "vitald.db", boot="boot-1", now=lambda: self.now_ns, utc_offset_ns=UTC_NS,
            commit_every_s=0.01, on_saved=acknowledged.hear, about={"os": "linux", "app_version": "1.0"},
        )  # fmt: skip
        self.box = BoxFile(self.folder / "box.db")
        self.sessions = Sessions(
            ("1", "2"), Patients(self.box), History(self.folder / "vitald.db"), now=lambda: self.now_ns,
            utc=lambda: (UTC_NS + self.now_ns, True), obey=self._obey, saved=acknowledged.wait,
            own_limits=lambda bed: self.limits if bed == "1" else {},
            changed=lambda bed, patient: self.shown.__setitem__(bed, patient.full_name if patient else ""),
        )  # fmt: skip
        await self.writer.start()
        for bed, occupant in (await self.sessions.restore()).items():
            self.writer.occupied(bed, occupant)
        return self

    async def __aexit__(self, *_):
        await self.writer.stop()
        await self.box.close()

    def _obey(self, command: Command) -> asyncio.Future[str] | None:
        self.commands.append(command)
        if not self.refuse:
            self.writer.offer(command.bed, command)
        if command.verb not in {"admit", "discharge"}:
            return None
        decided = asyncio.get_running_loop().create_future()
        decided.set_result(self.refuse)
        return decided

    def samples(self, seconds: int) -> None:
        segment = Segment(str(uuid.uuid4()), "1", self.stream, "boot-1", 1, self.now_ns)
        counts = np.zeros((1, 500 * seconds), np.int32)
        self.writer.offer("1", SampleBlock(segment, 0, self.now_ns, 2e6, counts, self.now_ns))
        self.now_ns += seconds * S

    async def act(self, verb: str, bed: str = "1", **patient: str):
        return await self.sessions.act(
            SessionAct(id=str(uuid.uuid4()), bed=bed, verb=verb, patient=patient, actor="nurse")
        )


@pytest.fixture
async def house(tmp_path):
    async with House(tmp_path) as made:
        yield made


async def test_a_patients_stay_from_admission_to_discharge(house, tmp_path):
    house.samples(2)
    admitted = await house.act("admit", **NAME)
    assert (admitted.acted, admitted.saved, admitted.error) == (True, True, "")
    assert house.shown == {"1": "John Doe", "2": ""}
    house.samples(3)
    left = await house.act("discharge")
    assert (left.acted, left.patient_id) == (True, "")
    assert house.shown["1"] == ""
    told = (await house.sessions.sessions("1", None, 10)).sessions
    assert [(t.ended_by, t.full_name) for t in told] == [
        ("", None),
        ("discharge", "John Doe"),
        ("person", None),
    ]
    assert told[1].session_id == admitted.session
    assert told[1].started_at == "2025-01-08T12:35:08.000Z"
    assert told[1].summary["duration_seconds"] == 3.0
    of_john = (await house.sessions.sessions(None, admitted.patient_id, 10)).sessions
    assert [t.session_id for t in of_john] == [admitted.session]
    await house.box.close()
    acts = ask_box(tmp_path / "box.db", audit.entries)
    assert [(e["act"], e["subject"], e["actor"]) for e in acts] == [
        ("admit", admitted.patient_id, "nurse"), ("discharge", admitted.patient_id, "nurse")
    ]  # fmt: skip


async def test_a_person_starts_and_ends_sessions_and_recording_goes_on(house):
    house.samples(2)
    started = await house.act("start")
    house.samples(2)
    ended = await house.act("end")
    assert started.session
    assert ended.session not in {"", started.session}
    told = (await house.sessions.sessions("1", None, 10)).sessions
    assert [(t.automatic, t.ended_by, t.actor) for t in told] == [
        (True, "", ""), (False, "person", "nurse"), (True, "person", "")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "bed", "patient", "why"),
    [
        ("admit", "1", {}, "needs a name"),
        ("admit", "9", NAME, "no bed 9"),
        ("discharge", "1", {}, "nobody is admitted"),
        ("start", "1", NAME, "only an admission"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_happens(house, verb, bed, patient, why):
    answer = await house.act(verb, bed, **patient)
    assert not answer.acted
    assert why in answer.error
    assert house.commands == []


async def test_what_alarms_refuse_does_not_happen(house):
    house.refuse = "not now"
    answer = await house.act("admit", **NAME)
    assert (answer.acted, answer.error) == (False, "not now")
    assert (await house.sessions.patients("")).patients == ()


async def test_a_second_patient_waits_for_the_first_ones_discharge(house):
    await house.act("admit", **NAME)
    answer = await house.act("admit", full_name="Jane")
    assert "discharge first" in answer.error
    assert [p.full_name for p in (await house.sessions.patients("")).patients] == ["John Doe"]


async def test_acts_that_come_together_are_done_one_after_the_other(house):
    answers = await asyncio.gather(*(house.act("admit", full_name=f"Patient {i}") for i in range(5)))
    assert [a.acted for a in answers].count(True) == 1
    assert len(house.commands) == 1


async def test_who_is_here_is_known_after_a_restart_of_the_daemon_and_sessions_go_on_with_them(tmp_path):
    async with House(tmp_path) as house:
        house.samples(1)
        await house.act("admit", **NAME)
    async with House(tmp_path) as house:
        assert house.shown["1"] == "John Doe"
        house.now_ns = 100 * S
        house.samples(1)
        await asyncio.sleep(0.1)
    newest = ask(
        tmp_path / "vitald.db",
        lambda r: r.db.execute("SELECT patient FROM sessions ORDER BY id DESC").fetchone(),
    )
    assert json.loads(newest[0])["full_name"] == "John Doe"


@pytest.mark.parametrize("lost", ["vitald.db", "box.db"])
async def test_either_database_may_be_lost_and_the_patient_is_still_here(tmp_path, lost):
    async with House(tmp_path) as house:
        await house.act("admit", **NAME)
    (tmp_path / lost).unlink()
    async with House(tmp_path) as house:
        assert house.shown["1"] == "John Doe"
        house.samples(1)
        await asyncio.sleep(0.1)
        told = (await house.sessions.sessions("1", None, 1)).sessions
        assert told[0].full_name == "John Doe"


async def test_an_act_that_the_audit_missed_is_in_it_after_the_next_start(tmp_path):
    async with House(tmp_path) as house:
        await house.act("admit", **NAME)
        await house.act("end")
    (tmp_path / "box.db").unlink()
    for _ in range(2):
        async with House(tmp_path):
            pass
    said = [(e["act"], e["bed"], e["actor"]) for e in ask_box(tmp_path / "box.db", audit.entries)]
    assert said == [("admit", "1", "nurse"), ("session_end", "1", "nurse")]


async def test_a_session_is_found_by_its_name_and_by_its_uuid(house, tmp_path):
    house.samples(1)
    started = await house.act("start")
    found = ask(tmp_path / "vitald.db", lambda r: session(r, started.session))
    assert found.name == started.session
    assert ask(tmp_path / "vitald.db", lambda r: session(r, found.uuid)) == found
    assert ask(tmp_path / "vitald.db", lambda r: session(r, "session_2")) is None


# --- over the socket -------------------------------------------------------------------------------------


@pytest.fixture
async def served(house, tmp_path) -> Callable[[], Awaitable[SessionClient]]:
    app = web.Application(middlewares=[middleware(NobodyKnown())])
    SessionRoutes(house.sessions).add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "control.sock")).start()
    yield tmp_path / "control.sock"
    await runner.cleanup()


async def test_over_the_socket(house, served):
    async with SessionClient(served) as client:
        act = SessionAct(id="act-0001", bed="1", verb="admit", patient=NAME, actor="nurse")
        first, again = await client.act(act), await client.act(act)
        assert first.acted
        assert first == again  # a press whose answer was lost acts once
        assert len(house.commands) == 1
        (here,) = (await client.patients()).patients
        assert (here.full_name, here.age, here.bed, here.admitted_at) == (
            "John Doe", 45, "1", "2025-01-08T12:35:06.000Z"
        )  # fmt: skip
        assert [p.full_name for p in (await client.patients("oe")).patients] == ["John Doe"]
        assert (await client.patients("nobody")).patients == ()
        assert [s.bed for s in (await client.sessions(bed="1", most=5)).sessions] == ["1"]


async def test_nonsense_over_the_socket_is_one_answer(served):
    connector = aiohttp.UnixConnector(path=str(served))
    async with aiohttp.ClientSession("http://vitald", connector=connector) as http:
        for body in (b"", b"{}", b'{"id":"12345678","bed":"1","verb":"fly"}', b"\xff"):
            async with http.post("/sessions", data=body) as response:
                assert response.status == 400
                assert (await response.json())["error"]
        for query in ("most=0", "most=x", "most=99999"):
            async with http.get(f"/sessions?{query}") as response:
                assert response.status == 400


async def test_a_daemon_that_is_not_there_is_said(tmp_path):
    async with SessionClient(tmp_path / "none.sock") as client:
        with pytest.raises(NotAnswering):
            await client.patients()


async def test_a_patient_moves_with_the_limits_and_is_never_at_two_beds(house, tmp_path):
    house.limits = {"hr_high": {"above": 140.0}, "couplet": {"on": True}}
    await house.act("admit", **NAME)
    house.samples(2)
    moved = await house.sessions.act(
        SessionAct(id="move-act-1", bed="1", verb="move", to="2", actor="nurse", screen="s1")
    )
    assert (moved.acted, moved.saved, moved.error) == (True, True, "")
    assert house.shown == {"1": "", "2": "John Doe"}
    verbs = [(c.bed, c.verb) for c in house.commands]
    assert verbs == [("1", "admit"), ("1", "discharge"), ("2", "admit"), ("2", "limits")]
    assert dict(house.commands[-1].values) == {
        "hr_high.above": "140",
        "couplet.on": "true",
        "screen": "s1",
    }
    first, second = (
        (await house.sessions.sessions(None, None, 10)).sessions[-1],
        (await house.sessions.sessions("2", None, 10)).sessions[0],
    )
    assert (first.ended_by, second.full_name, second.ended_at) == ("discharge", "John Doe", None)
    told = ask_box(tmp_path / "box.db", audit.entries)
    assert [(e["act"], e["bed"], e["command"]) for e in told[-2:]] == [
        ("move_away", "1", "move-act-1-left"),
        ("move", "2", "move-act-1"),
    ]
    assert told[-1]["body"]["from"] == "1"
    assert ask_box(tmp_path / "box.db", audit.broken_at) is None

    async def refusal(bed: str, to: str) -> str:
        act = SessionAct(id=str(uuid.uuid4()), bed=bed, verb="move", to=to)
        return (await house.sessions.act(act)).error

    assert "nobody" in await refusal("1", "2")
    assert "no other bed" in await refusal("2", "9")
    assert "no other bed" in await refusal("2", "2")
    await house.act("admit", full_name="Jane Roe")
    assert "discharge first" in await refusal("2", "1")
    again = Patients(house.box)
    await again.restore({}, ("1", "2"))
    assert {bed: stay.patient.full_name for bed, stay in again.here.items()} == {
        "1": "Jane Roe",
        "2": "John Doe",
    }


async def test_who_nobody_knows_gets_a_number_that_nobody_had(house):
    async def admit(bed: str):
        return await house.sessions.act(
            SessionAct(id=str(uuid.uuid4()), bed=bed, verb="admit", unknown=True, actor="nurse")
        )

    assert (await admit("1")).acted
    await house.act("admit", "2", full_name="Unknown 7")
    await house.act("discharge", "1")
    assert (await admit("1")).acted
    assert house.shown == {"1": "Unknown 8", "2": "Unknown 7"}
