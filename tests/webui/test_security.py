"""Only our own pages may speak to the box, and answers tell the browser to trust nothing else."""

from __future__ import annotations

import json

import aiohttp
import pytest
import pytest_asyncio

from webui import security

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACT = {"id": "act-0001", "bed": "1", "verb": "display", "values": {"mode": "st"}}


@pytest_asyncio.fixture(loop_scope="session")
async def http(site: str):
    async with aiohttp.ClientSession(base_url=site) as session:
        yield session


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("192.168.4.7", True),
        ("localhost:8080", True),
        ("bedside.local", True),
        ("bedside.local.", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("bedside.local.evil.example:8080", False),
        ("", False),
        ("[::1", False),
        ("localhost@evil.example", False),
    ],
)
async def test_a_host_is_ours_when_it_is_an_address_or_our_name(host: str, ours: bool) -> None:
    assert security.is_ours(host, frozenset({"localhost", "bedside.local"})) is ours


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://box.local", "box.local", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("http://evil.example", "127.0.0.1:8080", False),
        ("null", "127.0.0.1:8080", False),
        ("", "", False),
        ("file://127.0.0.1:8080", "127.0.0.1:8080", False),
    ],
)
async def test_an_origin_must_be_the_host_it_speaks_to(origin: str, host: str, same: bool) -> None:
    assert security.is_same_origin(origin, host) is same


async def test_every_answer_carries_the_headers_and_is_not_kept(http: aiohttp.ClientSession) -> None:
    for path in ("/", "/bed/1", "/calibrate", "/bed/none", "/nothing"):
        async with http.get(path) as response:
            for name, value in security.HEADERS.items():
                assert response.headers[name] == value
            assert response.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in security.HEADERS["Content-Security-Policy"]


async def test_a_name_that_is_not_ours_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.get("/", headers={"Host": "evil.example"}) as response:
        assert response.status == 403


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
async def test_an_act_or_a_live_socket_from_another_page_is_refused(
    http: aiohttp.ClientSession, feeder, origin: str | None
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    async with http.post("/api/command", json=ACT, headers=headers) as response:
        assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect("/live?bed=1", headers=headers)
    assert refused.value.status == 403
    assert feeder.acts == []


async def test_an_act_of_our_page_reaches_the_box(http: aiohttp.ClientSession, feeder, site: str) -> None:
    async with http.post("/api/command", json=ACT, headers={"Origin": site.rstrip("/")}) as response:
        assert await response.json() == {"id": "act-0001", "acted": True, "error": ""}
    assert [act.values for act in feeder.acts] == [{"mode": "st"}]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", json.dumps({**ACT, "verb": "reboot"}), json.dumps({**ACT, "more": 1})]
)
async def test_what_is_no_act_is_refused_with_a_reason(
    http: aiohttp.ClientSession, feeder, site: str, body: str
) -> None:
    headers = {"Origin": site.rstrip("/"), "Content-Type": "application/json"}
    async with http.post("/api/command", data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]
    assert feeder.acts == []


async def test_an_act_without_a_box_says_so(http: aiohttp.ClientSession, feeder, site: str) -> None:
    await feeder.stop()
    async with http.post("/api/command", json=ACT, headers={"Origin": site.rstrip("/")}) as response:
        assert response.status == 503
        assert await response.json() == {"error": "not_answering"}
    await feeder.start()


async def test_scripts_are_kept_for_ever_under_their_hash_and_nowhere_else(
    http: aiohttp.ClientSession,
) -> None:
    page = await (await http.get("/")).text()
    path = page.split('type="module" src="')[1].split('"')[0]
    async with http.get(path) as response:
        assert response.status == 200
        assert response.content_type == "text/javascript"
        assert "immutable" in response.headers["Cache-Control"]
    digest = path.split("/")[2]
    for wrong in (
        path.replace(digest, "0" * 16),
        f"/static/{digest}/../app.py",
        f"/static/{digest}/js/none.js",
    ):
        async with http.get(wrong) as response:
            assert response.status == 404


async def test_pages_name_no_other_host_and_hold_no_inline_script(http: aiohttp.ClientSession) -> None:
    for path in ("/", "/calibrate"):
        page = await (await http.get(path)).text()
        assert "http://" not in page
        assert "https://" not in page
        assert "style=" not in page
        assert page.count("<script") == page.count('<script type="module" src="/static/') + page.count(
            '<script id="page-facts" type="application/json">'
        )


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
async def test_an_act_that_a_form_could_send_is_none(
    http: aiohttp.ClientSession, feeder, site: str, kind
) -> None:
    """A form of another site can send these three without asking; none can send JSON."""
    headers = {"Origin": site.rstrip("/")} | ({"Content-Type": kind} if kind else {})
    async with http.post("/api/command", data=json.dumps(ACT).encode(), headers=headers) as response:
        assert response.status == 415
    assert feeder.acts == []
