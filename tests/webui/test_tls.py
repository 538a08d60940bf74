"""TLS for other machines: what plain HTTP still answers, what a browser holds, and a certificate that is renewed, ended or missing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from daemon.appliance.authority import fingerprint, make_certificate
from tests.webui._encrypted import NAMES, certified, encrypted, trusting
from webui import access, certificate, signed
from webui.app import Site, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Served:
    """A site by TLS, its files, and its two addresses on the loopback."""

    def __init__(self, site: Site, config, files) -> None:
        self.site, self.config, self.files = site, config, files
        self.plain = site.address.replace("0.0.0.0", "127.0.0.1")
        self.encrypted = site.encrypted.replace("0.0.0.0", "127.0.0.1")
        self.trusts = trusting(config.cert_data)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(tmp_path_factory, feeder_of, config_for) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    async with feeder_of(folder / "control.sock", ("1",)):
        config = encrypted(config_for(folder))
        files = certified(config)
        async with serving(config) as site:
            yield Served(site, config, files)


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    """Browsers are not the bed's own."""
    monkeypatch.setattr(signed, "at_bedside", lambda _address: False)


def asking(served: Served, **headers: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=served.trusts)
    jar = aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(served.encrypted, connector=connector, cookie_jar=jar, headers=headers)


async def test_by_plain_http_another_machine_gets_the_page_on_trust_and_the_way_on(served, elsewhere) -> None:
    wrong = []
    async with aiohttp.ClientSession(served.plain, headers={"Origin": served.plain.rstrip("/")}) as http:
        for method, pattern in access.ROUTES:
            path = pattern.replace("{digest}", "0" * 16).replace("{", "").replace("}", "")
            async with http.request(method, path, allow_redirects=False) as response:
                there = response.headers.get("Location")
            if pattern.startswith("/trust"):
                expected = (200, None)
            elif pattern.startswith("/static/"):
                expected = (404, None)
            elif pattern == "/":
                expected = (302, "/trust")
            elif method == "GET":
                expected = (307, served.encrypted.rstrip("/") + path)
            else:
                expected = (403, None)
            if (response.status, there) != expected:
                wrong.append((method, pattern, response.status, there))
        for path in ("/api/v1/sessions", "/api/v1/live"):
            async with http.get(
                path, headers={"Authorization": "Bearer x"}, allow_redirects=False
            ) as response:
                assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/live")
    assert refused.value.status == 403
    assert wrong == []


async def test_by_plain_http_a_cookie_opens_nothing(served, elsewhere) -> None:
    async with (
        aiohttp.ClientSession(served.plain, headers={"Cookie": "vitald=admin; __Host-vitald=admin"}) as http,
        http.get("/api/audit", allow_redirects=False) as response,
    ):
        assert response.status == 307


async def test_the_boxs_own_screen_needs_no_certificate(served) -> None:
    async with aiohttp.ClientSession(served.plain, headers={"Origin": served.plain.rstrip("/")}) as http:
        async with http.get("/bed/1", allow_redirects=False) as response:
            assert response.status == 200
        async with http.ws_connect("/live?bed=1") as socket:
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT


def parts(digits: str) -> str:
    """The fingerprint as it stands on the page."""
    groups = [digits[at : at + 4] for at in range(0, 64, 4)]
    return " ".join(f"<span>{' '.join(groups[at : at + 4])}</span>" for at in range(0, 16, 4))


async def test_the_file_is_the_authority_and_the_page_shows_its_fingerprint(served, elsewhere) -> None:
    trusted = served.files.trusted()
    async with aiohttp.ClientSession(served.plain) as http:
        async with http.get("/trust/authority.crt") as response:
            assert response.content_type == "application/x-x509-ca-cert"
            assert "attachment" in response.headers["Content-Disposition"]
            body = await response.read()
        async with http.get("/trust") as response:
            page = await response.text()
    digits = fingerprint(trusted)

    assert (
        ssl.DER_cert_to_PEM_cert(body).split() == (served.config.cert_data / "trust.crt").read_text().split()
    )
    assert parts(digits) in page
    assert served.encrypted in page
    assert "<script" not in page


async def test_the_boxs_own_screen_shows_the_same_fingerprint_and_where_to_go(served) -> None:
    async with aiohttp.ClientSession(served.plain) as http, http.get("/trust") as response:
        page = await response.text()
    digits = fingerprint(served.files.trusted())

    assert parts(digits) in page
    assert f"<li>{served.plain}</li>" in page
    assert "/trust/authority.crt" not in page


async def test_by_tls_pages_are_served_and_nothing_makes_a_browser_insist_on_it(served, elsewhere) -> None:
    async with asking(served, Cookie="__Host-vitald=nurse") as http:
        async with http.get("/bed/1", allow_redirects=False) as response:
            assert response.status == 200
            assert "Strict-Transport-Security" not in response.headers
        async with http.ws_connect("/live?bed=1", origin=served.encrypted.rstrip("/")) as socket:
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT


async def test_by_tls_a_cookie_without_its_prefix_is_nobodys(served, elsewhere) -> None:
    """Whoever can change plain HTTP of the same name could have set it."""
    async with (
        asking(served, Cookie="vitald=nurse") as http,
        http.get("/bed/1", allow_redirects=False) as response,
    ):
        assert response.status == 302


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_act_by_tls_must_come_of_a_page_by_tls(served, elsewhere, scheme) -> None:
    origin = f"{scheme}://{urlsplit(served.encrypted).netloc}"
    async with (
        asking(served, Origin=origin) as http,
        http.post("/api/sign-out", json={}) as response,
    ):
        assert (response.status == 403) is (scheme == "http")


async def test_older_protocols_and_other_authorities_are_refused(served) -> None:
    where = urlsplit(served.encrypted)
    old = trusting(served.config.cert_data)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    for context in (old, ssl.create_default_context()):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(where.hostname, where.port, ssl=context)


async def serial(served: Served) -> str:
    """Of the certificate that a new connection sees."""
    where = urlsplit(served.encrypted)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(der)


async def test_a_renewed_certificate_is_served_without_a_start_and_open_sockets_stay(
    served, elsewhere
) -> None:
    looked = served.site.listening._certificate
    before = await serial(served)
    async with (
        asking(served, Cookie="__Host-vitald=nurse") as http,
        http.ws_connect("/live?bed=1", origin=served.encrypted.rstrip("/")) as socket,
    ):
        authority = served.files.authority()
        served.files.serve(make_certificate(authority, NAMES.names, datetime.now(UTC)), authority)
        looked.look()
        after = await serial(served)
        while (await socket.receive(timeout=5)).type is not aiohttp.WSMsgType.BINARY:
            pass
    assert after != before
    assert after.split() == (served.config.cert_data / "served.crt").read_text().split()

    good = (served.config.cert_data / "served.pem").read_bytes()
    (served.config.cert_data / "served.pem").write_bytes(good[:200])
    looked.look()
    assert await serial(served) == after  # what cannot be used changes nothing
    (served.config.cert_data / "served.pem").write_bytes(good)
    looked.look()


async def test_an_ended_certificate_is_served_all_the_same_and_a_browser_says_so(
    feeder_of, config_for, tmp_path, elsewhere
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)):
        config = encrypted(config_for(tmp_path))
        files = certified(config)
        long_ago = datetime.now(UTC) - timedelta(days=800)
        files.serve(make_certificate(files.authority(), NAMES.names, long_ago), files.authority())
        async with serving(config) as site:
            served = Served(site, config, files)
            async with asking(served) as http:
                with pytest.raises(aiohttp.ClientConnectorCertificateError, match="expired"):
                    await http.get("/sign-in")
            served.trusts.check_hostname, served.trusts.verify_mode = False, ssl.CERT_NONE
            async with asking(served) as http, http.get("/sign-in") as response:
                assert response.status == 200


async def test_without_a_certificate_the_bed_goes_on_others_wait_and_are_told(
    feeder_of, config_for, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(certificate, "SOON_S", 0.05)
    async with feeder_of(tmp_path / "control.sock", ("1",)):
        config = encrypted(config_for(tmp_path))
        async with serving(config) as site:
            plain = site.address.replace("0.0.0.0", "127.0.0.1")
            async with aiohttp.ClientSession(plain) as http:
                async with http.get("/bed/1") as response:
                    assert response.status == 200
                with monkeypatch.context() as far:
                    far.setattr(signed, "at_bedside", lambda _address: False)
                    async with http.get("/bed/1", allow_redirects=False) as response:
                        assert (response.status, response.headers["Location"]) == (302, "/trust")
                    async with http.get("/trust") as response:
                        assert "no certificate yet" in await response.text()
            files = certified(config)
            served = Served(site, config, files)
            async with asking(served) as http, asyncio.timeout(10), http.get("/sign-in") as response:
                assert response.status == 200


async def test_the_houses_certificate_leaves_nothing_to_trust(
    feeder_of, config_for, tmp_path, elsewhere
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)):
        config = encrypted(config_for(tmp_path))
        files = certified(config)
        files.serve(files.served(), None)
        async with serving(config) as site:
            plain = site.address.replace("0.0.0.0", "127.0.0.1")
            async with aiohttp.ClientSession(plain) as http:
                async with http.get("/trust/authority.crt") as response:
                    assert response.status == 404
                async with http.get("/trust") as response:
                    assert "own authority" in await response.text()
