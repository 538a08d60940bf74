"""Recordings are fetched by their names in PhysioNet, here from a server on this machine that is laid out as it is."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wfdb
from wfdb.io import download

from tests.accuracy import fetch
from tests.accuracy.analysed import SETS, records_of

VERSION = "1.2.3"


class PhysioNet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        place = self.path.strip("/").split("/")
        if place[0] == "content":
            return self._answer(f"<p>Version: {VERSION}</p>\n".encode())
        assert place[0] == "files"
        assert place[2] == VERSION
        self.server.asked.append("/".join([place[1], *place[3:]]))
        found = self.server.recordings / place[1] / place[-1]
        return self._answer(found.read_bytes() if found.is_file() else None)

    do_HEAD = do_GET  # noqa: N815 - the name that the server calls

    def _answer(self, body):
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def physionet(recordings, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), PhysioNet)
    server.recordings, server.asked = recordings, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(download, "PN_CONTENT_URL", f"{address}/content/")
    monkeypatch.setattr(download.config, "db_index_url", f"{address}/files/")
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.recordings
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_was_fetched_can_be_read(physionet, tmp_path, monkeypatch):
    monkeypatch.setattr(
        fetch,
        "FILES",
        {"mitdb": ("", ("100",), fetch.BEATS), "ludb": ("data/", ("1",), (*fetch.SIGNAL, *fetch.LEADS))},
    )

    fetch.fetch(tmp_path)

    assert "mitdb/100.atr" in physionet.asked
    assert "ludb/data/1.v6" in physionet.asked
    assert wfdb.rdrecord(str(tmp_path / "mitdb/100")).sig_len == 650_000
    assert len(wfdb.rdann(str(tmp_path / "ludb/1"), "ii").sample) > 10
    assert [r.name for r in records_of(tmp_path / "ludb")] == ["1"]


@pytest.mark.recordings
def test_all_that_is_measured_can_be_fetched(recordings):
    for folder in SETS:
        _, records, _ = fetch.FILES[folder]
        assert {Path(r).name for r in records} == {r.name for r in records_of(recordings / folder)}
