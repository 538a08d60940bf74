"""What somebody on the network tries, each with its answer, at pages in front of a daemon's real people. Alarm acts go on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from daemon.control.live import LiveHub
from daemon.control.messages import Act, DisplayState
from daemon.control.people import PersonAct
from daemon.control.people_routes import PeopleRoutes
from daemon.control.server import Server
from daemon.model.actor import Actor, acting, acts
from daemon.people.passwords import Passwords
from daemon.signing import Signing
from daemon.store.box import BoxFile
from webui import security, signed
from webui.app import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONSOLE = Actor("console (root)", None, "console (root)")
WORDS = "four words in a row"
IN_TIME_S = 2.0
"""An act on alarms is answered within this while all of it goes on; a safety deadline with a margin, not a measurement."""


class House:
    """A daemon's socket with its people; `acted` is what reached it, and in whose name."""

    def __init__(self, folder) -> None:
        self.socket = folder / "control.sock"
        self.file = BoxFile(folder / "box.db")
        self.acted: list[tuple[str, str]] = []
        self.signing = Signing(
            self.file, folder / "box.db", "boot-1", now=time.monotonic_ns, utc=lambda: (time.time_ns(), True),
            passwords=Passwords((64, 1, 1)),
        )  # fmt: skip

    def act(self, act: Act) -> None:
        by = acting()
        self.acted.append((act.verb, by.name if by else ""))

    async def add(self, name: str, role: str) -> None:
        values = {"full_name": name}
        act = PersonAct(
            id=str(uuid.uuid4()), verb="add", values=values, role=role, password=WORDS, keeps=True
        )
        with acts(CONSOLE):
            assert (await self.signing.person(CONSOLE, act)).acted


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory) -> AsyncIterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    await house.signing.restore()
    await house.add("Nora Nurse", "nurse")
    hub = LiveHub(
        boot="boot-1", version="0.1.0", box="b", demo=True, utc_ms=lambda: time.time_ns() // 10**6,
        beds=[("1", "1", DisplayState(mode="monitor", mains_hz=50, cleaning=False))],
    )  # fmt: skip
    server = Server(hub, house.act, more=[PeopleRoutes(house.signing)], known=house.signing.entrance)
    ready = asyncio.Event()
    task = asyncio.create_task(server.run(house.socket, ready.set))
    await ready.wait()
    yield house
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await house.signing.close()
    await house.file.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(house, config_for) -> AsyncIterator[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(security, "HEAD_WITHIN_S", 0.5)
        patched.setattr(security, "BODY_WITHIN_S", 0.5)
        async with serving(config_for(house.socket.parent)) as site:
            yield site.address


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    """Browsers are not the bed's own."""
    monkeypatch.setattr(signed, "at_bedside", lambda _address: False)


@contextlib.asynccontextmanager
async def browser(address: str, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    given = {"Origin": address.rstrip("/"), **headers}
    async with aiohttp.ClientSession(address, headers=given, cookie_jar=jar) as http:
        yield http


async def sign_in(http: aiohttp.ClientSession, password: str = WORDS, name: str = "Nora Nurse"):
    async with http.post("/api/sign-in", json={"identifier": name, "password": password}) as response:
        return response, await response.json()


async def acknowledge(address: str) -> float:
    """An act on alarms at the bed; how long it took, in s."""
    before = time.monotonic()
    async with browser(address) as http:
        act = {"id": str(uuid.uuid4()), "bed": "1", "verb": "acknowledge", "values": {}}
        async with http.post("/api/command", json=act) as response:
            assert (await response.json())["acted"]
    return time.monotonic() - before


async def raw(address: str, *pieces: bytes, wait_s: float = 5.0) -> bytes:
    """What is answered to these bytes until the other side closes; TimeoutError where it does not."""
    where = urlsplit(address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(wait_s):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_twenty_wrong_passwords_are_looked_at_one_by_one_and_alarms_do_not_wait(address, house) -> None:
    looked = 0
    verify = house.signing.entrance._passwords.verify

    async def counting(known: str, password: str) -> bool:
        nonlocal looked
        looked += 1
        return await verify(known, password)

    house.signing.entrance._passwords.verify = counting
    async with browser(address) as http:
        tries = [asyncio.create_task(sign_in(http, f"wrong {n}", "Somebody Else")) for n in range(20)]
        took = [await acknowledge(address) for _ in range(5)]
        answers = [told for _, told in await asyncio.gather(*tries)]
    house.signing.entrance._passwords.verify = verify

    assert looked == 1
    assert sum(told["wait_s"] > 0 for told in answers) == 19
    assert all(told["held"] == "" for told in answers)
    assert max(took) < IN_TIME_S
    assert ("acknowledge", "bedside screen") in house.acted


async def test_a_cookie_is_for_the_browser_alone_and_a_forged_one_opens_nothing(address, elsewhere) -> None:
    async with browser(address) as http:
        response, told = await sign_in(http)
        cookie = response.cookies["vitald"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert len(cookie.value) >= 43
        assert told["held"] == ""
        async with http.get("/api/sessions?bed=1") as allowed:
            assert allowed.status != 401
    forged = [cookie.value[:-1] + "x", cookie.value.upper(), "", "a" * 43, "a" * 5000, "x; vitald=y", "%00"]
    for value in forged:
        async with (
            browser(address, Cookie=f"vitald={value}") as http,
            http.get("/api/sessions?bed=1") as refused,
        ):
            assert refused.status == 401


async def test_who_signs_out_is_out_at_once_and_a_cookie_kept_aside_is_worth_nothing(
    address, elsewhere
) -> None:
    async with browser(address) as http:
        response, _ = await sign_in(http)
        kept = response.cookies["vitald"].value
        async with http.post("/api/sign-out") as out:
            assert out.status == 200
    async with browser(address, Cookie=f"vitald={kept}") as http, http.get("/api/sessions?bed=1") as refused:
        assert refused.status == 401


async def test_a_free_text_actor_is_not_believed(address, house) -> None:
    async with browser(address, **{"X-Vitald-Held": "x", "X-Vitald-From": "console (root)"}) as http:
        act = {"id": str(uuid.uuid4()), "bed": "1", "verb": "limits", "values": {"actor": "Nora Nurse"}}
        async with http.post("/api/command", json=act) as response:
            assert response.status == 401
    assert ("limits", "Nora Nurse") not in house.acted


async def test_the_daemon_judges_again_what_the_pages_let_through(address, house, monkeypatch) -> None:
    """A web process that lets everybody in still cannot act for them."""
    monkeypatch.setattr(signed.SignedIn, "may", lambda _self, _what: True)
    async with browser(address) as http:
        act = {"id": str(uuid.uuid4()), "bed": "1", "verb": "limits", "values": {}}
        async with http.post("/api/command", json=act) as response:
            assert response.status == 401
        async with http.get("/api/audit") as response:
            assert response.status == 401
    assert not any(verb == "limits" for verb, _ in house.acted)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
async def test_a_post_of_another_site_and_its_live_socket_are_refused(address, house, origin) -> None:
    before = list(house.acted)
    async with browser(address, Origin=origin) as http:
        act = {"id": str(uuid.uuid4()), "bed": "1", "verb": "acknowledge", "values": {}}
        async with http.post("/api/command", json=act) as response:
            assert response.status == 403
        async with http.post(
            "/api/sign-in", json={"identifier": "Nora Nurse", "password": WORDS}
        ) as response:
            assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/live?bed=1")
        assert refused.value.status == 403
    assert house.acted == before


async def test_a_live_socket_needs_a_right_and_ends_with_it(address, elsewhere, monkeypatch) -> None:
    monkeypatch.setattr("webui.door.WATCHED_EVERY_S", 0.05)
    monkeypatch.setattr(signed, "KNOWN_S", 0.0)
    async with browser(address) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/live")
        assert refused.value.status == 401
        await sign_in(http)
        async with http.ws_connect("/live") as socket:
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT
            async with http.post("/api/sign-out"):
                pass
            async with asyncio.timeout(10):
                while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
        assert socket.closed


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"])
async def test_a_name_that_was_bound_to_the_boxs_address_is_refused(address, host) -> None:
    async with browser(address, Host=host, Origin=f"http://{host}") as http:
        async with http.get("/") as response:
            assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/live")
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/box.db",
        "....//box.db",
        "/etc/passwd",
    ],
)
async def test_an_address_that_climbs_out_leads_nowhere(address, path) -> None:
    host = urlsplit(address).netloc
    for place in ("/", f"/static/{'0' * 16}/"):
        head = f"GET {place}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = await raw(address, head.encode())
        assert answer.split(b" ")[1] in {b"404", b"400", b"403", b"302"}, answer[:200]
        assert b"root:" not in answer


@pytest.mark.parametrize(
    ("asked", "goes_to"),
    [("/audit", "/audit"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/")],
)
async def test_signing_in_leads_to_a_page_of_this_box_only(address, asked, goes_to) -> None:
    async with browser(address) as http, http.get("/sign-in", params={"next": asked}) as response:
        assert f'"next": "{goes_to}"' in await response.text()


async def test_a_body_of_a_gigabyte_is_refused_before_it_comes(address) -> None:
    host = urlsplit(address).netloc
    for length in (f"Content-Length: {10**9}", "Transfer-Encoding: chunked"):
        head = f"POST /api/sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{length}\r\n\r\n"
        body = (
            b"".join(b"4000\r\n" + b"x" * 0x4000 + b"\r\n" for _ in range(8)) if "chunked" in length else b"x"
        )
        assert b" 413 " in (await raw(address, head.encode(), body)).split(b"\r\n")[0] + b" "


async def test_heads_and_bodies_that_come_byte_by_byte_are_cut_off_and_alarms_do_not_wait(address) -> None:
    host = urlsplit(address).netloc
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode()
    body = f"POST /api/sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 100\r\n\r\n{{".encode()
    many = [asyncio.create_task(raw(address, head)) for _ in range(50)]
    slow = [asyncio.create_task(raw(address, body)) for _ in range(5)]
    took = await acknowledge(address)

    assert set(await asyncio.gather(*many)) == {b""}
    assert all(b" 408 " in answer for answer in await asyncio.gather(*slow))
    assert took < IN_TIME_S


async def test_too_much_of_a_head_is_refused(address) -> None:
    async with browser(address, **{"X-Long": "x" * 20_000}) as http, http.get("/") as response:
        assert response.status == 400
