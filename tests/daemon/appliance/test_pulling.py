"""An update is pulled over TLS in pieces, and is what the server has said or nothing."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.appliance.pulling import CannotPull, Offered, offered, pulled

BUNDLE = bytes(range(256)) * 4000
OFFER = {
    "version": "2.0",
    "bundle": "v2.raucb",
    "bytes": len(BUNDLE),
    "sha256": hashlib.sha256(BUNDLE).hexdigest(),
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "updates")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


class Server:
    """Serves the index and the bundle; `breaks_at` ends an answer early, `ranges` off gives all of it anew."""

    def __init__(self, certificate):
        self.offer, self.bundle = dict(OFFER), BUNDLE
        self.breaks_at, self.ranges, self.moved = None, True, ""
        self.asked = []
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                here.asked.append((self.path, self.headers.get("Range")))
                if self.path == "/box/moved.json":
                    self.send_response(302)
                    self.send_header("Location", here.moved)
                    self.end_headers()
                    return
                body = json.dumps(here.offer).encode() if self.path.endswith(".json") else here.bundle
                begin = int(self.headers["Range"][6:-1]) if self.headers.get("Range") and here.ranges else 0
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(body) - begin))
                self.end_headers()
                end = here.breaks_at if here.breaks_at and not self.path.endswith(".json") else len(body)
                self.wfile.write(body[begin:end])

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}/box/latest.json"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(certificate):
    one = Server(certificate)
    yield one
    one.close()


def pull(server, certificate, folder, most_bytes=10_000_000):
    offer = offered(server.url, certificate)
    return pulled(server.url, offer, folder, most_bytes=most_bytes, ca_file=certificate)


def test_the_bundle_comes_whole(server, certificate, tmp_path):
    assert pull(server, certificate, tmp_path).read_bytes() == BUNDLE
    assert server.asked[-1] == ("/box/v2.raucb", None)


@pytest.mark.parametrize("ranges", [True, False])
def test_what_broke_off_is_gone_on_with(server, certificate, tmp_path, ranges):
    server.breaks_at = 300_000
    with pytest.raises(CannotPull, match="broke off|IncompleteRead"):
        pull(server, certificate, tmp_path)
    have = next(tmp_path.glob("*.raucb")).stat().st_size
    server.breaks_at, server.ranges = None, ranges
    assert pull(server, certificate, tmp_path).read_bytes() == BUNDLE
    assert server.asked[-1] == ("/box/v2.raucb", f"bytes={have}-")


def test_another_content_than_was_said_is_thrown_away(server, certificate, tmp_path):
    server.bundle = BUNDLE[:-1] + b"\0"
    with pytest.raises(CannotPull, match="another hash"):
        pull(server, certificate, tmp_path)
    assert list(tmp_path.glob("*.raucb")) == []


def test_more_than_was_said_or_allowed_is_not_taken(server, certificate, tmp_path):
    with pytest.raises(CannotPull, match="max_mb"):
        pull(server, certificate, tmp_path, most_bytes=1000)
    server.bundle = BUNDLE + b"more"
    with pytest.raises(CannotPull, match="more bytes"):
        pull(server, certificate, tmp_path)


def test_nothing_is_taken_without_tls_or_from_a_server_that_nobody_vouches_for(server, certificate):
    with pytest.raises(CannotPull, match="https"):
        offered("http://127.0.0.1/latest.json")
    with pytest.raises(CannotPull, match="certificate verify failed"):
        offered(server.url)
    server.moved = "http://127.0.0.1:1/latest.json"
    with pytest.raises(CannotPull, match="https"):
        offered(server.url.replace("latest", "moved"), certificate)


@pytest.mark.parametrize("wrong", [{"sha256": "x"}, {"bytes": 0}, {"version": "../x"}])
def test_an_index_that_is_none_is_refused(server, certificate, wrong):
    server.offer |= wrong
    with pytest.raises(CannotPull, match=next(iter(wrong))):
        offered(server.url, certificate)


def test_what_another_update_left_is_cleared_away(server, certificate, tmp_path):
    (tmp_path / "old.raucb").write_bytes(b"x")
    assert pull(server, certificate, tmp_path) == tmp_path / f"{OFFER['sha256'][:16]}.raucb"
    assert len(list(tmp_path.iterdir())) == 1
    assert Offered(**OFFER).bytes == len(BUNDLE)
