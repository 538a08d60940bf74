"""A server whose certificate is not good gets nothing, and a person is told why; a box whose certificate is not good likewise."""

from __future__ import annotations

import ssl
from contextlib import ExitStack, asynccontextmanager

import pytest

from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.kinds import make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.destinations.dropbox_server import Account
from tests.daemon.forward.destinations.file_servers import FtpCase
from tests.daemon.forward.destinations.gcs_server import BUCKET, Bucket, service_account
from tests.daemon.forward.destinations.mqtt_broker import Broker
from tests.daemon.forward.destinations.processes import free_port, served
from tests.daemon.forward.destinations.rest_server import API_KEY, Backend
from tests.daemon.forward.destinations.threaded import threaded


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder, "ours"), Authority(folder, "stranger")


def pair(authorities, which):
    ours, stranger = authorities
    good = {"hosts": ("localhost", "127.0.0.1")}
    return {
        "good": lambda: ours.pair("good", **good),
        "unknown": lambda: stranger.pair("unknown", **good),
        "name": lambda: ours.pair("name", hosts=("cloud.example.org",)),
        "expired": lambda: ours.pair("expired", **good, days=(-9, -1)),
        "early": lambda: ours.pair("early", **good, days=(1, 9)),
    }[which]()


def server_side(made):
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(made.certificate, made.key)
    return trust


REASONS = {
    "unknown": "nobody the box believes",
    "name": "another name",
    "expired": "expired",
    "early": "not valid yet",
}


@asynccontextmanager
async def rest(place, ca, made, stack):
    (place.credentials / "key").write_text(API_KEY)
    port = stack.enter_context(threaded(Backend().app(), server_side(made)))
    yield make(
        "rest",
        {"url": f"https://localhost:{port}/api/v1", "api_key_file": "key", "ca_file": str(ca)},
        place,
    )


@asynccontextmanager
async def mqtt(place, ca, made, stack):
    async with Broker().serving(server_side(made)) as broker:
        yield make("mqtt", {"host": "localhost", "port": broker.port, "ca_file": str(ca)}, place)


@asynccontextmanager
async def dropbox(place, ca, made, stack):
    account = Account()
    (place.credentials / "dropbox.json").write_text(account.credential())
    port = stack.enter_context(threaded(account.app(), server_side(made)))
    url = f"https://localhost:{port}"
    yield make(
        "dropbox",
        {"api_url": url, "content_url": url, "credentials_file": "dropbox.json", "ca_file": str(ca)},
        place,
    )


@asynccontextmanager
async def gcs(place, ca, made, stack):
    bucket = Bucket()
    port = stack.enter_context(threaded(bucket.app(), server_side(made)))
    (place.credentials / "gcs.json").write_text(service_account(f"https://localhost:{port}", bucket.key))
    yield make("gcs", {"bucket": BUCKET, "service_account_file": "gcs.json", "ca_file": str(ca)}, place)


@asynccontextmanager
async def s3(place, ca, made, stack):
    bucket = Bucket()  # turns boto3's signature down: it is enough that it got so far
    (place.credentials / "secret").write_text("secret")
    port = stack.enter_context(threaded(bucket.app(), server_side(made)))
    url = f"https://localhost:{port}"
    options = {
        "bucket": BUCKET,
        "endpoint": url,
        "access_key": "a",
        "secret_key_file": "secret",
        "ca_file": str(ca),
    }
    yield make("s3", options, place)


@pytest.mark.parametrize("which", ["unknown", "name", "expired", "early"])
@pytest.mark.parametrize("server", [rest, mqtt, dropbox, gcs, s3], ids=lambda server: server.__name__)
async def test_a_server_that_cannot_prove_itself_parks(tmp_path, authorities, server, which):
    place = records.place(tmp_path)
    with ExitStack() as stack:
        async with server(place, authorities[0].file, pair(authorities, which), stack) as destination:
            outcome = await destination.send(
                destination.seal(records.key(1), [records.metrics(1, session="")])
            )
            await destination.close()

    assert outcome.verdict is Verdict.PARKED
    # obstore does not say what is wrong with a certificate.
    assert REASONS[which] in outcome.reason or (server is gcs and "certificate" in outcome.reason)


@pytest.mark.parametrize("server", [rest, mqtt, dropbox, gcs], ids=lambda server: server.__name__)
async def test_a_server_that_can_is_believed(tmp_path, authorities, server):
    place = records.place(tmp_path)
    with ExitStack() as stack:
        async with server(place, authorities[0].file, pair(authorities, "good"), stack) as destination:
            outcome = await destination.send(
                destination.seal(records.key(1), [records.metrics(1, session="")])
            )
            await destination.close()

    assert outcome == DONE


async def test_ftp_says_no_password_to_a_server_that_cannot_prove_itself(tmp_path):
    place = records.place(tmp_path)
    with ExitStack() as stack:
        case = FtpCase(tmp_path, stack)
        case.credentials(place.credentials)
        (place.credentials / "ca.crt").write_bytes(Authority(tmp_path, "stranger").file.read_bytes())
        destination = case.destination(place)
        outcome = await destination.send(destination.seal(records.key(1), [records.metrics(1)]))
        await destination.close()
        said = (tmp_path / "server.log").read_text()

    assert outcome.verdict is Verdict.PARKED
    assert REASONS["unknown"] in outcome.reason
    assert "logged in" not in said


@pytest.mark.parametrize("which", ["none", "stranger"])
@pytest.mark.parametrize("kind", ["rest", "mqtt"])
async def test_a_box_that_cannot_prove_itself_parks(tmp_path, authorities, kind, which):
    ours, stranger = authorities
    place = records.place(tmp_path)
    (place.credentials / "key").write_text(API_KEY)
    own = {}
    if which == "stranger":
        box = stranger.pair("box")
        own = {"certificate_file": str(box.certificate), "key_file": str(box.key)}
    made = pair(authorities, "good")
    port = free_port()
    # OpenSSL's own server: asyncio's ends the connection without the alert that says why.
    command = [
        "openssl",
        "s_server",
        "-accept",
        str(port),
        "-cert",
        made.certificate,
        "-key",
        made.key,
        "-quiet",
    ]
    command += ["-CAfile", ours.file, "-Verify", "1", "-verify_return_error"]
    options = {
        "rest": {"url": f"https://localhost:{port}/api/v1", "api_key_file": "key"},
        "mqtt": {"host": "localhost", "port": port},
    }[kind]
    with served(command, port, tmp_path):
        destination = make(kind, {**options, **own, "ca_file": str(ours.file), "timeout_s": 5}, place)
        outcome = await destination.send(destination.seal(records.key(1), [records.metrics(1, session="")]))
        await destination.close()

    assert outcome.verdict is Verdict.PARKED
    assert outcome.reason == "the server does not accept the box's certificate"


async def test_a_key_that_cannot_be_read_parks(tmp_path, authorities):
    place = records.place(tmp_path)
    own = {"certificate_file": "box.crt", "key_file": "box.key", "ca_file": str(authorities[0].file)}
    destination = make("mqtt", {"host": "localhost", **own}, place)
    outcome = await destination.send(destination.seal(records.key(1), [records.metrics(1)]))

    assert outcome.verdict is Verdict.PARKED
    assert "certificate or its key" in outcome.reason
