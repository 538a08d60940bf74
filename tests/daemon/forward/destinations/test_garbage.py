"""Whatever a server says, a try ends with an outcome: nothing is raised, and nothing is done that is not."""

from __future__ import annotations

import itertools
import socketserver
import threading

import pytest

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.kinds import make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.dropbox_server import Account
from tests.daemon.forward.destinations.gcs_server import new_key, service_account
from tests.daemon.forward.destinations.rest_server import API_KEY

numbers = itertools.count(1)

GARBAGE = [
    b"",
    b"\x00" * 64,
    bytes(range(256)) * 8,
    b"220 hello\r\n" + b"999 what\r\n" * 9,
    b"SSH-2.0-\xff\xfe\r\n" + b"\xff" * 99,
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{]{]{",
    b"HTTP/1.1 777 \xff\r\nRetry-After: \xff\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 400 No\r\nContent-Type: application/xml\r\nContent-Length: 9\r\n\r\n<a><b></a>",
]


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture(scope="module")
def servers():
    """A server for each garbage, by its number: says it, waits for an answer, and hangs up."""
    running = []
    for said in GARBAGE:

        class Nonsense(socketserver.BaseRequestHandler):
            nonsense = said

            def handle(self):
                self.request.settimeout(2)
                try:
                    if not self.nonsense.startswith((b"220", b"SSH")):
                        self.request.recv(100)
                    self.request.sendall(self.nonsense)
                    self.request.recv(100)
                except OSError:
                    return

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Nonsense)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
    yield [server.server_address[1] for server in running]
    for server in running:
        server.shutdown()
        server.server_close()


def options(kind, port, place, key):
    url = f"http://127.0.0.1:{port}"
    secrets = {
        "word": API_KEY,
        "gcs.json": service_account(url, key),
        "dropbox.json": Account().credential(),
        "azure": "YSBrZXk=",
        "pager": "whsec_" + "YSBrZXk9" * 5,
    }
    for name, text in secrets.items():
        (place.credentials / name).write_text(text)
    known = "127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    login = {"host": "127.0.0.1", "port": port, "user": "box", "password_file": "word"}
    return {
        "rest": {"url": url, "api_key_file": "word"},
        "mqtt": {"host": "127.0.0.1", "port": port, "tls": False},
        "s3": {"bucket": "records", "endpoint": url, "access_key": "a", "secret_key_file": "word"},
        "azure": {"account": "ward", "container": "records", "endpoint": f"{url}/ward", "key_file": "azure"},
        "gcs": {"bucket": "records", "service_account_file": "gcs.json"},
        "sftp": {**login, "known_hosts": known},
        "ftp": {**login, "security": "plain"},
        "webhook": {"url": url, "secret_file": "pager"},
        "sns": {
            "topic": "arn:aws:sns:eu-west-1:123456789012:alarms",
            "endpoint": url,
            "access_key": "a",
            "secret_key_file": "word",
        },
        "dropbox": {"api_url": url, "content_url": url, "credentials_file": "dropbox.json"},
    }[kind]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
@pytest.mark.parametrize(
    "kind", ["rest", "mqtt", "s3", "azure", "gcs", "sftp", "ftp", "dropbox", "webhook", "sns"]
)
async def test_whatever_a_server_says_is_an_outcome(place, servers, key, kind, number):
    """A bare 200 is all that the REST plan asks of a backend, and a webhook of a receiver; nowhere else is nonsense a DONE."""
    destination = make(kind, {**options(kind, servers[number], place, key), "timeout_s": 0.5}, place)
    made = records.alarm(1) if kind in {"webhook", "sns"} else records.metrics(1, session="")
    sealed = destination.seal(records.key(next(numbers)), [made])
    outcomes = [await destination.open(), await destination.send(sealed)]
    await destination.close()

    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    assert outcomes[1].verdict is not Verdict.DONE or (
        b"200 OK" in GARBAGE[number] and kind in {"rest", "webhook"}
    )
