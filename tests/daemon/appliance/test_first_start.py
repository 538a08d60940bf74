"""First settings in force: all of them or none; secrets stay secret; what the daemon is left, and who may leave it."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.appliance.first_start import FOLDER, HANDOVER, NotAsked, Places, applied, leave, planned
from daemon.appliance.network_setting import Network, network_steps
from daemon.appliance.stick import FAILED, copied, mounted
from daemon.appliance.system_steps import CannotDo, Run, Write, carry_out
from daemon.appliance.time_setting import Time, time_steps
from daemon.config import load

HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse battery")
SETTINGS = f"""
[box]
name = "Ward 3, box 2"
[beds.2]
name = "Door"
devices = [{{label = "ecg", port = "/dev/ttyUSB0"}}]
[forward.destinations.cloud]
kind = "rest"
url = "https://cloud.example/v1"
api_key_file = "cloud.key"
[forward.routes]
"OXY-*" = ["cloud"]
[time]
zone = "Europe/Berlin"
servers = ["ntp.example"]
[network]
interface = "eth0"
method = "static"
address = "10.0.0.5/24"
gateway = "10.0.0.1"
[certificates]
"hospital.pem" = "certificates/hospital.pem"
[credentials]
"cloud.key" = "credentials/cloud.key"
[[people]]
full_name = "Anna Admin"
role = "admin"
password_hash = "{HASH}"
"""


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hospital CA")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def box(tmp_path) -> Places:
    for folder in ("data", "etc", "usr/bin", "usr/lib/systemd"):
        (tmp_path / folder).mkdir(parents=True)
    for tool in ("nmcli", "chronyc", "timedatectl"):
        (tmp_path / "usr/bin" / tool).touch()
    path = tmp_path / "etc/vitald.toml"
    path.write_text(
        f'# kept\n[box]\nname = "vitald"\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n'
        f'[forward]\ncredentials = "{tmp_path}/etc/credentials"\n[beds.1]\nname = "Bed 1"\n'
    )
    return Places(load(path), path, tmp_path)


@pytest.fixture
def stick(tmp_path) -> Path:
    folder = tmp_path / "stick"
    for name in ("certificates", "credentials"):
        (folder / name).mkdir(parents=True)
    (folder / "certificates/hospital.pem").write_bytes(certificate())
    (folder / "credentials/cloud.key").write_text("s3cret-key")
    (folder / "vitald-setup.toml").write_text(SETTINGS)
    return folder / "vitald-setup.toml"


class Programs:
    """Every program ends well but for those that `fail` (by their first words)."""

    def __init__(self, *fail: str) -> None:
        self.ran: list[str] = []
        self._fail = fail

    def __call__(self, words) -> str:
        self.ran.append(" ".join(words))
        return "it failed" if self.ran[-1].startswith(self._fail or ("-",)) else ""


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(".before")
    }


def test_all_of_it_is_put_in_force(box, stick):
    programs = Programs()
    assert applied(planned(stick, box), box, "the stick", programs) == []
    text = box.path.read_text()
    assert text.startswith("# kept")
    config = load(box.path)
    assert (config.box.name, config.beds["2"].name) == ("Ward 3, box 2", "Door")
    assert config.beds["2"].devices[0].port == "/dev/ttyUSB0"
    assert config.forward.routes == {"OXY-*": ("cloud",)}
    assert (box.root / "etc/credentials/cloud.key").stat().st_mode & 0o777 == 0o600
    assert (box.root / "etc/certificates/hospital.pem").exists()
    assert (box.root / "etc/chrony/sources.d/vitald.sources").read_text() == "server ntp.example iburst\n"
    keyfile = box.root / "etc/NetworkManager/system-connections/vitald-eth0.nmconnection"
    assert "address1=10.0.0.5/24,10.0.0.1" in keyfile.read_text()
    assert keyfile.stat().st_mode & 0o777 == 0o600
    assert "timedatectl set-timezone Europe/Berlin" in programs.ran
    left = json.loads((box.config.box.data / FOLDER / HANDOVER).read_text())
    assert left["people"][0]["password_hash"] == HASH
    assert ["box.name", "Ward 3, box 2"] in left["lines"]
    assert "s3cret" not in json.dumps(left["lines"])
    assert HASH not in json.dumps(left["lines"])


def test_the_same_file_again_changes_the_configuration_no_more(box, stick):
    applied(planned(stick, box), box, "the stick", Programs())
    text = box.path.read_text()
    again = planned(stick, Places(load(box.path), box.path, box.root))
    assert again.text == text


FAILING = ["chronyc", "nmcli connection load", "timedatectl", "nmcli connection up"]


@pytest.mark.parametrize("which", FAILING)
def test_where_a_step_fails_everything_is_as_it_was(box, stick, which):
    before = everything(box.root)
    programs = Programs(which)
    if which in {
        "chronyc",
        "nmcli connection up",
    }:  # only makes use of what was written: told, and done at the next start
        assert applied(planned(stick, box), box, "x", programs) == ["it failed"]
        return
    with pytest.raises(CannotDo, match="it failed"):
        applied(planned(stick, box), box, "x", programs)
    assert everything(box.root) == before


def test_where_a_write_fails_everything_is_as_it_was(box, stick):
    before = everything(box.root)
    (box.config.box.data / FOLDER).symlink_to(box.root / "etc")
    with pytest.raises(CannotDo):
        applied(planned(stick, box), box, "x", Programs())
    (box.config.box.data / FOLDER).unlink()
    assert everything(box.root) == before


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("certificates/hospital.pem", b"no certificate"), "certificates.hospital.pem"),
        (("credentials/cloud.key", None), "credentials.cloud.key"),
        (("credentials/cloud.key", b"x" * 100_000), "credentials.cloud.key"),
    ],
)
def test_a_file_beside_it_that_cannot_be_used_is_named(box, stick, change, key):
    name, data = change
    path = stick.parent / name
    path.unlink() if data is None else path.write_bytes(data)
    before = everything(box.root / "etc")
    with pytest.raises(NotAsked) as refused:
        planned(stick, box)
    assert refused.value.faults[0].key == key
    assert everything(box.root / "etc") == before


def test_what_this_system_cannot_set_is_said_before_anything_is_done(box, stick):
    (box.root / "usr/bin/nmcli").unlink()
    with pytest.raises(CannotDo, match="apt install network-manager"):
        planned(stick, box)
    with pytest.raises(CannotDo, match="apt install chrony"):
        time_steps(Time(servers=("a",)), box.root / "nowhere")
    with pytest.raises(CannotDo, match="/etc/localtime"):
        time_steps(Time(zone="Europe/Berlin"), box.root / "nowhere")


def test_devices_that_are_configured_otherwise_are_not_half_changed(box, stick):
    box.path.write_text(box.path.read_text() + '[[beds.2.devices]]\nlabel = "cpap"\nport = "/dev/ttyUSB9"\n')
    with pytest.raises(NotAsked):
        planned(stick, Places(load(box.path), box.path, box.root))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_leaves_belongs_to_whoever_owns_the_databases_and_no_link_leads_out(tmp_path):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    os.chown(data, 1234, 1235)
    leave(data, "x.json", "{}")
    made = (data / FOLDER / "x.json").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (1234, 1235, 0o600)
    (data / FOLDER / "x.json").unlink()
    (data / FOLDER).rmdir()
    (data / FOLDER).symlink_to(elsewhere)
    with pytest.raises(OSError, match="directory|symbolic"):
        leave(data, "x.json", "{}")
    assert elsewhere.stat().st_uid == 0
    assert list(elsewhere.iterdir()) == []


def test_steps_that_fail_take_back_files_that_were_there_with_their_rights(tmp_path):
    known = tmp_path / "known"
    known.write_text("before")
    known.chmod(0o640)
    with pytest.raises(CannotDo):
        carry_out([Write(known, "after"), Write(tmp_path / "new", "x"), Run(("x",))], Programs("x"))
    assert known.read_text() == "before"
    assert known.stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "new").exists()


def test_a_password_of_a_wifi_is_on_no_command_line_and_in_nothing_that_is_shown(box):
    wanted = Network(interface="wlan0", ssid="Ward; 3", password_file="x")
    steps = network_steps(wanted, "hidden words", box.root)
    assert "hidden" not in "".join(step.shown() for step in steps) + repr(steps)
    text = next(step.text for step in steps if isinstance(step, Write))
    assert "psk=hidden words" in text
    assert "ssid=Ward\\; 3" in text
    with pytest.raises(CannotDo, match="8 to 63"):
        network_steps(wanted, "short", box.root)


# --- the stick -------------------------------------------------------------------------------------------


def test_a_stick_is_mounted_read_only_without_programs_and_let_go(tmp_path):
    programs = Programs()
    with mounted(Path("/dev/sdz1"), programs):
        pass
    assert programs.ran[0].startswith("mount -t vfat -o ro,nosuid,nodev,noexec,noatime /dev/sdz1 ")
    assert programs.ran[-1].startswith("umount ")
    with pytest.raises(CannotDo, match="FAT"), mounted(Path("/dev/sdz1"), Programs("mount")):
        pass


def test_what_is_on_a_stick_is_copied_and_nothing_else(stick, tmp_path):
    (stick.parent / "photo.jpg").write_bytes(b"x")
    (stick.parent / "credentials/link").symlink_to("/etc/passwd")
    copied(stick.parent, tmp_path / "run/stick")
    assert sorted(everything(tmp_path / "run/stick")) == [
        "certificates/hospital.pem",
        "credentials/cloud.key",
        "vitald-setup.toml",
    ]
    assert tomllib.loads((tmp_path / "run/stick/vitald-setup.toml").read_text())["box"]["name"]


def test_a_stick_without_the_file_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    copied(tmp_path / "empty", tmp_path / "run/stick")
    assert "no vitald-setup.toml" in (tmp_path / "run/stick" / FAILED).read_text()
