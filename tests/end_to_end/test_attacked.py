"""A box on the ward's network while somebody attacks it: each attack has its answer, and an alarm comes as if there were none.

The pages run as they do at a bed, by TLS; but for this: 127.0.0.1 alone is the box's own screen, the rest of the loopback is the
network. Times asserted are safety deadlines; `-s` prints what was measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from daemon.control.client import ControlClient, Said
from daemon.control.messages import AlarmsSeen
from tests.end_to_end._attacks import Attacker
from tests.end_to_end._encrypted import PASSWORD, EncryptedBox, add_people

pytestmark = pytest.mark.slow

ALARM_WITHIN_S = 10.0
SHOWN_WITHIN_S = 3.0
"""From the daemon's decision to a screen: a safety deadline."""

ACT_WITHIN_S = 10.0
ANSWERS = {
    "wrong password": {"wrong", "waits"},
    "forged cookie": {"401"},
    "cross-site post": {"403"},
    "cross-origin WebSocket": {"403"},
    "DNS-rebinding Host": {"403"},
    "path traversal": {"400", "403", "404", "302"},
    "1 GB upload, announced": {"413"},
    "1 GB upload, by a nurse": {"that is no zip file", "closed"},
    "slow-loris": {"closed"},
    "silent TLS": {"closed"},
}


@pytest.fixture
def box(tmp_path):
    running = EncryptedBox(tmp_path, own_screen="127.0.0.1")
    with running:
        yield running


async def nurse_signs_in(box: EncryptedBox) -> str:
    """A cookie as her browser holds it."""
    given = {"identifier": "Nora Nurse", "password": PASSWORD}
    connector = aiohttp.TCPConnector(ssl=box.trusts, local_addr=("127.0.0.7", 0))
    async with aiohttp.ClientSession(box.encrypted, connector=connector) as http:
        headers = {"Origin": box.encrypted.rstrip("/")}
        async with http.post("/api/sign-in", json=given, headers=headers) as response:
            assert (await response.json())["name"] == "Nora Nurse"
            cookie = response.cookies["__Host-vitald"]
    assert (cookie["secure"], cookie["httponly"], cookie["path"]) == (True, True, "/")
    assert (cookie["samesite"], cookie["domain"]) == ("Strict", "")
    return f"__Host-vitald={cookie.value}"


class Screens:
    """The daemon's own word, the bed's screen by plain HTTP, a nurse's by TLS: when each is told of an asystole, and of its end."""

    def __init__(self, box: EncryptedBox, nurse: str) -> None:
        self._box = box
        self._nurse = nurse
        self.waves: dict[str, int] = {"bed": 0, "nurse": 0}
        self.rates: dict[str, list[float]] = {"bed": [], "nurse": []}
        self.active: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ("daemon", "bed", "nurse")}
        self.quiet: dict[str, asyncio.Event] = {name: asyncio.Event() for name in self.active}
        self.at: dict[str, float] = {}
        self.told: dict[str, object] = {}

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._daemon()),
            asyncio.create_task(self._page("bed", self._box.url, {})),
            asyncio.create_task(self._page("nurse", self._box.encrypted, {"Cookie": self._nurse})),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def asystole(self) -> dict[str, float]:
        """Stop the heart; seconds until each is told. The heart beats again afterwards, and it is quiet."""
        await self._all(self.quiet, 60)
        before, began = dict(self.waves), time.monotonic()
        self._box.steer("ecg rhythm asystole")
        await self._all(self.active, 2 * ALARM_WITHIN_S)
        took = {name: at - began for name, at in self.at.items()}
        took["act"] = await self._acknowledge()
        self._box.steer("ecg rhythm sinus")
        await self._all(self.quiet, 60)
        for who, count in self.waves.items():
            self.rates[who].append((count - before[who]) / (time.monotonic() - began))
        return took

    async def _acknowledge(self) -> float:
        """At the bed, by nobody: how long it takes; whoever stands there presses again where the page says to."""
        began = time.monotonic()
        async with aiohttp.ClientSession(self._box.url, headers={"Origin": self._box.url.rstrip("/")}) as bed:
            while True:
                act = {"id": str(uuid.uuid4()), "bed": "1", "verb": "acknowledge", "values": {}}
                async with bed.post("/api/command", json=act) as response:
                    told = await response.json()
                assert response.status in {200, 503}, told
                if response.status == 200:
                    assert told["acted"], told
                    return time.monotonic() - began

    async def _all(self, events: dict[str, asyncio.Event], within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(one.wait() for one in events.values()))
        except TimeoutError:
            pytest.fail(f"not within {within_s} s; alarms by now: {self.told}")

    def _hear(self, who: str, seen: AlarmsSeen) -> None:
        self.told[who] = [(a.row, a.phase) for a in seen.picture.alarms]
        phases = {a.phase for a in seen.picture.alarms if a.row in {"asystole", "flat_ecg"}}
        if "active" in phases and not self.active[who].is_set():
            self.at[who] = time.monotonic()
            self.active[who].set()
            self.quiet[who].clear()
        if not phases & {"active", "acknowledged"} and "no_heart_rate" not in seen.picture.unarmed:
            self.active[who].clear()
            self.quiet[who].set()

    async def _daemon(self) -> None:
        async with ControlClient(self._box.folder / "run" / "control.sock") as client:
            async for event in client.live():
                if isinstance(event, Said) and isinstance(event.message, AlarmsSeen):
                    self._hear("daemon", event.message)

    async def _page(self, who: str, address: str, headers: dict[str, str]) -> None:
        source = ("127.0.0.7" if who == "nurse" else "127.0.0.1", 0)
        connector = aiohttp.TCPConnector(ssl=self._box.trusts, local_addr=source)
        given = {"Origin": address.rstrip("/"), **headers}
        async with (
            aiohttp.ClientSession(address, headers=given, connector=connector) as http,
            http.ws_connect("/live?bed=1", max_msg_size=0) as live,
        ):
            reported_at = 0.0
            async for message in live:
                self.waves[who] += message.type is aiohttp.WSMsgType.BINARY
                waves = self.waves[who]
                if time.monotonic() - reported_at > 1.0:  # as a page that draws
                    reported_at = time.monotonic()
                    report = {"type": "report", "waves": waves, "drawn": waves, "last": "", "visible": True}
                    await live.send_json(report)
                if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "alarms":
                    self._hear(who, AlarmsSeen.model_validate_json(message.data))


async def test_attacks_have_their_answers_and_alarms_come_as_if_there_were_none(box, capsys):
    await add_people(box, {"Nora Nurse": "nurse", "Tara Technician": "technician"})
    nurse = await nurse_signs_in(box)
    screens, attacker = Screens(box, nurse), Attacker(box.url, box.encrypted, box.trusts, nurse)
    stop = asyncio.Event()
    async with screens.watching():
        calm = await screens.asystole()
        attacks = asyncio.create_task(attacker.run(stop))
        await asyncio.sleep(1.0)
        attacked = await screens.asystole()
        stop.set()
        await attacks
    await asyncio.sleep(0.25)  # TLS says good-bye on each connection
    with capsys.disabled():
        for name, took in (("calm", calm), ("attacked", attacked)):
            print(f"\n{name}: " + ", ".join(f"{who} {s:.2f} s" for who, s in took.items()))
        for who, (first, second) in screens.rates.items():
            print(f"wave frames at the {who}'s screen: calm {first:.1f}, attacked {second:.1f} a second")
        for attack, answers in attacker.answers.items():
            print(f"{attack}: " + ", ".join(f"{answer} x{count}" for answer, count in answers.items()))

    for took in (calm, attacked):
        assert took["daemon"] < ALARM_WITHIN_S
        assert max(took["bed"], took["nurse"]) - took["daemon"] < SHOWN_WITHIN_S
        assert took["act"] < ACT_WITHIN_S
    assert set(attacker.answers) == set(ANSWERS)
    wrong = {name: dict(told) for name, told in attacker.answers.items() if not set(told) <= ANSWERS[name]}
    assert wrong == {}
