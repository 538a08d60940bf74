"""SFTP and FTP: whom they believe, what is never said in the clear, and moves onto what is there."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.kinds import make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.file_servers import HERE, FtpCase, SftpCase
from tests.daemon.forward.destinations.processes import free_port, served


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with ExitStack() as stack:
        yield SftpCase(tmp_path_factory.mktemp("sshd"), stack)


@pytest.fixture(scope="module")
def ftpd(tmp_path_factory):
    with ExitStack() as stack:
        yield FtpCase(tmp_path_factory.mktemp("ftpd"), stack)


async def sent(destination, number, some=None):
    try:
        sealed = destination.seal(records.key(number), some or [records.metrics(1)])
        return await destination.send(sealed), sealed
    finally:
        await destination.close()


async def test_sftp_says_nothing_to_a_server_with_another_host_key(sshd, place):
    sshd.credentials(place.credentials)
    before = (sshd.folder / "server.log").read_text().count("Accepted")
    destination = sshd.destination(place, known_hosts=sshd.known_hosts(sshd.port, "other_host"))
    outcome, sealed = await sent(destination, 1)

    assert outcome.verdict is Verdict.PARKED
    assert "host key" in outcome.reason
    assert sshd.arrived(sealed) == []
    assert (sshd.folder / "server.log").read_text().count("Accepted") == before


@pytest.mark.parametrize("known_hosts", ["nonsense", "other.example.org ssh-ed25519 AAAA"])
async def test_sftp_with_no_host_key_for_the_server_parks(sshd, place, known_hosts):
    sshd.credentials(place.credentials)
    outcome, _ = await sent(sshd.destination(place, known_hosts=known_hosts), 2)

    assert outcome.verdict is Verdict.PARKED


async def test_sftp_with_a_key_that_is_none_parks(sshd, place):
    (place.credentials / "ssh-key").write_text("-----BEGIN nothing-----")
    outcome, _ = await sent(sshd.destination(place), 3)

    assert outcome.verdict is Verdict.PARKED
    assert outcome.reason == "the private key cannot be read"


async def test_sftp_replaces_what_a_cut_left_under_the_name(sshd, place):
    sshd.credentials(place.credentials)
    destination = sshd.destination(place)
    sealed = destination.seal(records.key(4), [records.metrics(1)])
    path = sshd.there / sealed.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    (outcome, _) = await sent(destination, 4)

    assert outcome == DONE
    assert path.read_bytes() == sealed.data
    assert not list(path.parent.glob("*.part"))


async def test_sftp_goes_where_it_may(sshd, place):
    sshd.credentials(place.credentials)
    blocked = sshd.folder / "a file"
    blocked.write_bytes(b"")
    outcome, _ = await sent(sshd.destination(place, folder=str(blocked)), 5)

    assert outcome.verdict in {Verdict.PARKED, Verdict.AGAIN}
    assert outcome.reason


async def test_ftp_sends_no_password_to_a_server_without_tls(tmp_path, place):
    there = tmp_path / "there"
    there.mkdir()
    port = free_port()
    command = [
        FtpCase.python,
        "-W",
        "ignore",
        HERE / "ftp_server.py",
        str(port),
        there,
        "-",
        "box",
        "word",
        "plain",
    ]
    (place.credentials / "ftp").write_text("word")
    options = {"host": "localhost", "port": port, "user": "box", "password_file": "ftp"}
    with served(command, port, tmp_path):
        refused, _ = await sent(make("ftp", options, place), 1)
        said = (tmp_path / "server.log").read_text()
        plain, sealed = await sent(make("ftp", {**options, "security": "plain"}, place), 2)

    assert refused.verdict is Verdict.PARKED
    assert "no TLS" in refused.reason
    assert "USER" not in said
    assert plain == DONE
    assert (there / sealed.path).read_bytes() == sealed.data


async def test_ftp_replaces_what_a_cut_left_under_the_name(ftpd, place):
    ftpd.credentials(place.credentials)
    destination = ftpd.destination(place)
    sealed = destination.seal(records.key(3), [records.metrics(1)])
    path = ftpd.there / sealed.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    outcome, _ = await sent(destination, 3)

    assert outcome == DONE
    assert path.read_bytes() == sealed.data
    assert not list(path.parent.glob("*.part"))


async def test_ftp_that_may_not_write_parks(ftpd, place):
    ftpd.credentials(place.credentials)
    (ftpd.there / "taken").write_bytes(b"a file where a folder should be")
    outcome, _ = await sent(ftpd.destination(place, folder="/taken"), 4)

    assert outcome.verdict is Verdict.PARKED
    assert "550" in outcome.reason
