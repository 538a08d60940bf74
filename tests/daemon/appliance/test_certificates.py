"""The pages' certificate: for whom its authority may sign, when it is made anew, who reads which file, how the house's gets there."""

from __future__ import annotations

import ipaddress
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from daemon.appliance import authority as made
from daemon.appliance.certificates import Certificates, NotInstalled, Outcome, renewed_from
from daemon.appliance.own_names import OwnNames, own_names
from daemon.config_web import Web
from tests.daemon.appliance._authority import NOW, House

OWN = OwnNames(("box4.local", "box4", "10.20.3.4"), (ipaddress.ip_network("10.20.3.0/24"),))


def agrees(served: made.Pair, authority: x509.Certificate, name: str, folder: Path) -> str:
    """What a client that trusts the authority alone says of a server called `name`: "" or why not. OpenSSL judges."""
    (folder / "s.pem").write_bytes(served.pem)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(folder / "s.pem")
    client_side = ssl.create_default_context(
        cadata=authority.public_bytes(serialization.Encoding.PEM).decode()
    )
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return "" if client.version() in {"TLSv1.3", "TLSv1.2"} else "no agreement"


@pytest.fixture
def files(tmp_path) -> Certificates:
    (tmp_path / "cert").mkdir()
    return Certificates(tmp_path / "cert")


def made_by(files: Certificates) -> x509.Certificate:
    pair = files.served()
    assert pair is not None
    return pair.certificate


@pytest.mark.parametrize("name", ["box4.local", "box4", "10.20.3.4"])
def test_a_client_that_trusts_the_authority_takes_the_box_under_each_of_its_names(files, tmp_path, name):
    assert files.ensure(OWN, NOW, clock_set=True) is Outcome.AUTHORITY_MADE

    assert agrees(files.served(), files.trusted(), name, tmp_path) == ""
    assert "mismatch" in agrees(files.served(), files.trusted(), "box5.local", tmp_path).lower()


@pytest.mark.parametrize("name", ["bank.example", "local", "box5.local", "10.20.4.4", "8.8.8.8", "fd00::1"])
def test_with_a_stolen_authority_nobody_is_another_machine(files, tmp_path, name):
    """The constraints hold in the client, whatever was signed."""
    files.ensure(OWN, NOW, clock_set=True)
    forged = made.make_certificate(files.authority(), [name], NOW)

    assert agrees(forged, files.trusted(), name, tmp_path) == "permitted subtree violation"


def test_an_authority_without_an_address_signs_for_none(files, tmp_path):
    authority = made.make_authority("a", ["box4.local"], [], NOW)
    forged = made.make_certificate(authority, ["10.20.3.4"], NOW)

    assert agrees(forged, authority.certificate, "10.20.3.4", tmp_path) == "permitted subtree violation"


def test_an_authority_signs_for_servers_alone_and_no_other_authority(files):
    files.ensure(OWN, NOW, clock_set=True)
    for one, is_authority in ((files.trusted(), True), (made_by(files), False)):
        extensions = one.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

        assert (basic.critical, basic.value.ca, usage.critical) == (True, is_authority, True)
        assert (usage.value.key_cert_sign, usage.value.digital_signature) == (is_authority, not is_authority)
        assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    constraints = files.trusted().extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert basic.value.path_length is None
    assert made_by(files).not_valid_after_utc - made_by(files).not_valid_before_utc <= timedelta(days=397)


def test_each_file_is_read_by_those_who_need_it(files):
    files.ensure(OWN, NOW, clock_set=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in files.folder.iterdir()}

    assert modes == {
        "authority.pem": 0o600,
        "served.pem": 0o640,
        "served.crt": 0o644,
        "served.json": 0o644,
        "trust.crt": 0o644,
    }
    for name in ("served.crt", "trust.crt", "served.json"):
        assert "PRIVATE" not in (files.folder / name).read_text()
    assert json.loads((files.folder / "served.json").read_text())["names"] == list(OWN.names)


def test_it_is_kept_until_two_thirds_of_its_life_and_then_made_anew_by_the_same_authority(files):
    files.ensure(OWN, NOW, clock_set=True)
    first, authority = made_by(files), files.trusted()
    due = renewed_from(first)

    assert files.ensure(OWN, due - timedelta(minutes=1), clock_set=True) is Outcome.KEPT
    assert made_by(files) == first
    assert files.ensure(OWN, due, clock_set=True) is Outcome.MADE
    assert made_by(files).serial_number != first.serial_number
    assert files.trusted() == authority


def test_a_new_address_of_the_same_network_is_soon_in_it_and_one_of_another_cannot_be(files):
    files.ensure(OWN, NOW, clock_set=True)
    moved = OwnNames(("box4.local", "10.20.3.99", "192.168.0.9"), OWN.networks)

    assert files.ensure(moved, NOW, clock_set=True) is Outcome.MADE
    assert made.names_of(made_by(files)) == ("box4.local", "10.20.3.99")
    assert files.ensure(moved, NOW, clock_set=True) is Outcome.KEPT


def test_an_authority_that_may_sign_none_of_the_names_any_more_is_replaced(files):
    files.ensure(OWN, NOW, clock_set=True)
    before = files.trusted()
    renamed = OwnNames(("other.local", "192.168.0.9"), (ipaddress.ip_network("192.168.0.0/24"),))

    assert files.ensure(renamed, NOW, clock_set=True) is Outcome.AUTHORITY_MADE
    assert files.trusted() != before


def test_an_ended_authority_is_replaced_and_no_certificate_outlives_its_own(files):
    files.ensure(OWN, NOW, clock_set=True)
    end = files.trusted().not_valid_after_utc
    files.ensure(OWN, end - timedelta(days=30), clock_set=True)

    assert made_by(files).not_valid_after_utc <= end
    assert files.ensure(OWN, end, clock_set=True) is Outcome.AUTHORITY_MADE


def test_without_a_clock_nothing_is_made_and_nothing_is_taken_away(files):
    assert files.ensure(OWN, NOW, clock_set=False) is Outcome.NO_CLOCK
    assert list(files.folder.iterdir()) == []
    files.ensure(OWN, NOW, clock_set=True)
    before = made_by(files)

    assert files.ensure(OWN, datetime(1970, 1, 2, tzinfo=UTC), clock_set=False) is Outcome.KEPT
    assert made_by(files) == before


def test_without_an_address_no_authority_is_made(files):
    assert files.ensure(OwnNames(("box4.local",), ()), NOW, clock_set=True) is Outcome.NO_ADDRESS
    assert list(files.folder.iterdir()) == []


@pytest.mark.parametrize("left", [b"", b"half a fi", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_file_is_made_anew(files, left):
    files.ensure(OWN, NOW, clock_set=True)
    (files.folder / "served.pem").write_bytes(left)

    assert files.ensure(OWN, NOW, clock_set=True) is Outcome.MADE
    assert files.served() is not None


def test_a_write_that_fails_leaves_what_was_there(files, monkeypatch):
    files.ensure(OWN, NOW, clock_set=True)
    before = made_by(files)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("daemon.appliance.whole_file.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.ensure(OWN, NOW + timedelta(days=300), clock_set=True)
    assert made_by(files) == before


# --- the house's own authority


def test_the_houses_certificate_is_served_and_never_renewed_by_us(files, tmp_path):
    house = House()
    files.ensure(OWN, NOW, clock_set=True)
    pair = files.install(house.answer(files.ask(OWN.names)), OWN.names, NOW)

    assert agrees(pair, house.chain[0], "box4.local", tmp_path) == ""
    assert files.is_house()
    assert files.trusted() is None
    assert json.loads((files.folder / "served.json").read_text())["house"] is True
    assert files.ensure(OWN, NOW + timedelta(days=360), clock_set=True) is Outcome.KEPT
    assert made_by(files) == pair.certificate
    # it may be signed once more for the key that is served
    again = made.make_request(files.served().key, OWN.names)
    assert files.install(house.answer(again), OWN.names, NOW).certificate != pair.certificate


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": 0.5}, "ended"),
        ({"since": NOW + timedelta(days=2)}, "ended"),
        ({"use": ExtendedKeyUsageOID.CLIENT_AUTH}, "use"),
        ({"names": ["box5.local"]}, "names"),
    ],
)
def test_what_browsers_could_not_take_is_not_installed(files, change, reason):
    answer = House().answer(files.ask(OWN.names), **change)

    with pytest.raises(NotInstalled) as refused:
        files.install(answer, OWN.names, NOW)
    assert refused.value.reason == reason
    assert files.served() is None


def test_a_certificate_of_another_key_or_chain_is_not_installed(files):
    house, other = House(), House()
    answer = house.answer(files.ask(OWN.names))
    own = answer.split(b"-----BEGIN")[1]
    wrong = b"-----BEGIN" + own + other.chain[1].public_bytes(serialization.Encoding.PEM)
    for pem, reason in ((b"text", "pem"), (wrong, "chain")):
        with pytest.raises(NotInstalled) as refused:
            files.install(pem, OWN.names, NOW)
        assert refused.value.reason == reason
    files.ask(OWN.names)  # a new key
    with pytest.raises(NotInstalled) as refused:
        files.install(answer, OWN.names, NOW)
    assert refused.value.reason == "key"


def test_a_wildcard_of_the_house_covers_the_box(files):
    own = OwnNames(("box4.ward.lan",), ())
    answer = House().answer(files.ask(own.names), names=["*.ward.lan"])

    assert files.install(answer, own.names, NOW).certificate


# --- names


@pytest.mark.parametrize(
    ("hostname", "names"),
    [
        ("Box4", ["box4.local", "box4"]),
        ("box4.ward.lan", ["box4.ward.lan"]),
        ("localhost", []),
        ("a_b", []),
        ("-", []),
    ],
)
def test_the_box_has_the_names_of_its_machine(hostname, names):
    web = Web(host="10.20.3.4", names=("monitor.ward.lan", "10.9.9.9"))
    own = own_names(web, hostname, Path("/nowhere"))

    assert own.names == (*names, "monitor.ward.lan", "10.20.3.4", "10.9.9.9")
    assert [str(one) for one in own.networks] == ["10.20.3.4/32", "10.9.9.9/32"]


def test_addresses_of_six_that_stay_are_named_and_a_wide_network_is_narrowed(tmp_path):
    (tmp_path / "proc/net").mkdir(parents=True)
    lines = [
        "fd000000000000000000000000000002 02 20 00 80     eth0",
        "fd0000000000000000000000000000ff 02 40 00 01     eth0",  # temporary
        "fe8000000000000000fc00fffe000001 02 40 20 80     eth0",
    ]
    (tmp_path / "proc/net/if_inet6").write_text("\n".join(lines) + "\n")
    own = own_names(Web(host="::"), "box4", tmp_path)

    assert own.names == ("box4.local", "box4", "fd00::2")
    assert [str(one) for one in own.networks] == ["fd00::/48"]


@pytest.mark.parametrize("name", ["Box", "a b", "", "-x", "x.", "a" * 64, "http://x"])
def test_a_name_that_is_none_is_bad_configuration(name):
    with pytest.raises(ValueError, match="a name in small letters"):
        Web(names=(name,))
