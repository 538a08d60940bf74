"""Cases (a destination with its server, once a module) and places (the box's side, one a test)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.daemon.forward.destinations import (
    alarm_receivers,
    cases,
    file_servers,
    mllp_server,
    records,
    servers,
)

CASES = {
    "folder": cases.FolderCase,
    "stick": cases.StickCase,
    "rest": cases.RestCase,
    "batch": cases.BatchCase,
    "mllp": mllp_server.MllpCase,
    "mqtt": servers.MqttCase,
    "s3": servers.S3Case,
    "azure": servers.AzureCase,
    "gcs": cases.GcsCase,
    "gcs-emulator": servers.EmulatorCase,
    "sftp": file_servers.SftpCase,
    "ftp": file_servers.FtpCase,
    "dropbox": cases.DropboxCase,
    "webhook": alarm_receivers.WebhookCase,
    "sns": alarm_receivers.SnsCase,
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Cases by name, each started when it is first asked for."""
    started = {}
    with ExitStack() as stack:

        def get(name):
            if name not in started:
                started[name] = CASES[name](tmp_path_factory.mktemp(name), stack)
            return started[name]

        yield get


def pytest_generate_tests(metafunc):
    """The tests of conformance.py run over the cases that their module names."""
    if "case" in metafunc.fixturenames and hasattr(metafunc.module, "CASES"):
        without = getattr(metafunc.function, "without", frozenset())
        named = [name for name in metafunc.module.CASES if name not in without]
        metafunc.parametrize("case", named, indirect=True, scope="function")


@pytest.fixture
def case(request, running):
    return running(request.param)


@pytest.fixture
def place(tmp_path):
    return records.place(tmp_path)
