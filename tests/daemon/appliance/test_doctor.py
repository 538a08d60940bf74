"""Every finding has its words and its place in the manual; faults of a machine that can be caused without a running box."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import daemon
from daemon import words
from daemon.appliance import machine
from daemon.appliance.doctor import RUN, examine
from daemon.appliance.findings import CHECKS, FINDINGS, found, number
from daemon.appliance.surroundings import Surroundings
from daemon.cli.doctor import reached
from daemon.config import load
from daemon.control.messages import FactSeen, State
from daemon.control.technician import HealthTold, SoundTold

NOW_S = 1_800_000_000
HEALTH = HealthTold(version=daemon.__version__, pid=1, up_s=60.0, tick_age_s=0.05, waiting=0, overflowed=0)


@pytest.fixture
def config(tmp_path):
    """A configuration, with what is added to it, and its folders as they should be."""

    def made(more=""):
        path = tmp_path / "vitald.toml"
        path.write_text(
            f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[forward]\ncredentials = "{tmp_path}/secrets"\n{more}'
        )
        for name in ("data", "run", "secrets"):
            (tmp_path / name).mkdir(exist_ok=True, mode=0o750)
        return path

    return made


def box(path, **more):
    return Surroundings(load(path), path, utc_ns=lambda: NOW_S * 10**9, synchronised=lambda: True, **more)


def ids(check, around):
    """What a check finds, each with a remedy that is a whole sentence, or a command."""
    findings = list(RUN[check](around))
    for finding in findings:
        assert finding.id.startswith(f"{check}.")
        assert finding.remedy
        assert "{" not in finding.meaning + finding.remedy
        assert "doctor." not in finding.meaning + finding.remedy
    return [finding.id for finding in findings]


def test_every_finding_belongs_to_a_check_and_has_its_words():
    table = words.table()
    for identity in FINDINGS:
        assert identity.partition(".")[0] in CHECKS
        assert table[f"doctor.{identity}"]
        assert table[f"doctor.{identity}.do"]
    assert set(RUN) == set(CHECKS)
    assert all(table[f"doctor.check.{check}"] for check in CHECKS)
    assert number(CHECKS[0]) == 1
    with pytest.raises(KeyError):
        found("disk.imagined")


def test_the_manual_names_every_finding_with_its_remedy():
    """If not: python -m daemon.cli.manual docs > docs/technician.md"""
    from daemon.cli.manual import technicians_page

    page = Path(__file__).parents[3] / "docs" / "technician.md"
    assert page.read_text(encoding="utf-8") == technicians_page()


def test_a_configuration_that_cannot_be_used_is_the_first_finding(tmp_path):
    around = Surroundings(None, tmp_path / "x.toml", "x.toml: web.prot: Extra inputs are not permitted")
    assert ids("configuration", around) == ["configuration.bad"]
    assert [one.check for one in examine(around)] == list(CHECKS)


def test_a_destination_that_cannot_be_made_is_named(config):
    around = box(config(), misconfigured={"ward": "", "cloud": "url: Field required"})
    (finding,) = RUN["configuration"](around)
    assert "cloud" in finding.remedy
    assert "url: Field required" in finding.meaning


@pytest.mark.parametrize(
    ("name", "mode"),
    [("data", 0o755), ("data/vitald.db", 0o644), ("secrets/key", 0o604), ("vitald.toml", 0o666)],
)
def test_what_everybody_may_read_or_change_is_found_and_the_remedy_mends_it(config, tmp_path, name, mode):
    path = config()
    (tmp_path / "data/vitald.db").touch(0o640)
    (tmp_path / "secrets/key").touch(0o600)
    tmp_path.chmod(0o750)
    path.chmod(0o640)
    assert ids("files", box(path)) == []

    (tmp_path / name).chmod(mode)
    (finding,) = RUN["files"](box(path))
    assert finding.id == "files.too_open"
    subprocess.run(finding.remedy, shell=True, check=True)

    assert ids("files", box(path)) == []


def test_a_disk_that_is_full_that_is_read_only_and_that_has_no_room_for_files(config, tmp_path, small_disk):
    path = config("[store]\nkeep_free_mb = 50\n")
    small_disk(tmp_path, 60, "data", inodes=2000)
    assert ids("disk", box(path)) == []
    (tmp_path / "data/large").write_bytes(b"\0" * 20_000_000)
    assert ids("disk", box(path)) == ["disk.low"]
    (tmp_path / "data/larger").write_bytes(b"\0" * 30_000_000)
    assert ids("disk", box(path)) == ["disk.full"]
    (tmp_path / "data/large").unlink()
    (tmp_path / "data/larger").unlink()
    for n in range(1200):
        (tmp_path / f"data/{n}").touch()
    assert ids("disk", box(path)) == ["disk.inodes"]
    subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "data")], check=True)
    assert ids("disk", box(path)) == ["disk.read_only"]


def test_a_data_partition_that_could_not_be_used(config, tmp_path):
    path = config()
    (tmp_path / "box/run").mkdir(parents=True)
    assert ids("disk", box(path, root=tmp_path / "box")) == []
    (tmp_path / "box" / machine.NO_DATA).touch()
    assert ids("disk", box(path, root=tmp_path / "box")) == ["disk.not_kept"]


def test_a_disk_that_is_not_there_that_is_slow_and_that_fails(config, tmp_path):
    path = config("[store]\nkeep_free_mb = 0\n")

    def fails(_folder):
        raise OSError(5, "Input/output error")

    assert ids("disk", box(path, synced_s=lambda _: 5.0)) == ["disk.slow"]
    assert ids("disk", box(path, synced_s=lambda _: 5.0, quick=True)) == []
    assert ids("disk", box(path, synced_s=fails)) == ["disk.fails"]
    (tmp_path / "data").rmdir()
    assert ids("disk", box(path)) == ["disk.missing"]


def test_the_speed_of_the_disk_is_measured_and_nothing_is_left(config, tmp_path):
    assert ids("disk", box(config("[store]\nkeep_free_mb = 0\n"), synced_s=Surroundings.synced_s)) in (
        [],
        ["disk.slow"],
    )
    assert list((tmp_path / "data").iterdir()) == []


def test_a_clock_that_was_never_set_and_one_that_nobody_keeps(config, tmp_path):
    path = config()
    (tmp_path / "root/run/systemd/timesync").mkdir(parents=True)
    never = Surroundings(load(path), path, utc_ns=lambda: 86400 * 10**9, synchronised=lambda: False)
    (finding,) = RUN["clock"](never)
    assert finding.id == "clock.never_set"
    assert "1970-01-02" in finding.meaning

    unkept = Surroundings(
        load(path), path, root=tmp_path / "root", utc_ns=lambda: NOW_S * 10**9, synchronised=lambda: False
    )
    assert ids("clock", unkept) == ["clock.not_synchronised"]
    assert ids("clock", box(path)) == []


def test_a_machine_without_an_id_that_is_hot_short_of_memory_and_undervolted(config, tmp_path):
    path, root = config(), tmp_path / "root"
    (root / "sys/class/thermal/thermal_zone0").mkdir(parents=True)
    (root / "proc/pressure").mkdir(parents=True)
    (root / machine.THROTTLED).parent.mkdir(parents=True)
    assert ids("machine", box(path, root=root)) == ["machine.no_id"]

    (root / "sys/class/thermal/thermal_zone0/temp").write_text("86000")
    (root / "proc/meminfo").write_text("MemTotal: 4000000 kB\nMemAvailable: 100000 kB\n")
    (root / "proc/pressure/memory").write_text("some avg10=45.00 avg60=1 avg300=0 total=1\n")
    assert ids("heat", box(path, root=root)) == ["heat.high"]
    assert ids("memory", box(path, root=root)) == ["memory.low", "memory.pressure"]
    (root / machine.THROTTLED).write_text("50005")
    assert ids("heat", box(path, root=root)) == ["heat.throttled"]
    assert ids("supply", box(path, root=root)) == ["supply.low"]
    (root / machine.THROTTLED).write_text("50000")
    assert ids("supply", box(path, root=root)) == ["supply.was_low"]


def test_mains_that_are_gone(config, tmp_path):
    (tmp_path / "online").write_text("0")
    path = config(f'[hardware]\nmains_file = "{tmp_path}/online"\n')
    assert ids("supply", box(path, root=tmp_path)) == ["supply.mains"]
    state = State.model_construct(facts=[FactSeen.model_construct(source="power")])
    assert ids("supply", box(config(), root=tmp_path, state=state)) == ["supply.mains"], (
        "a line is the daemon's"
    )


def test_a_port_that_another_process_holds_is_named_with_that_process(config, tmp_path):
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        device = f'[beds.1]\n[[beds.1.devices]]\nlabel = "ecg"\nport = "{name}"\n'
        with Path(name).open("rb+", buffering=0) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (finding,) = RUN["ports"](box(config(device)))
        assert finding.id == "ports.busy"
        assert finding.values["pid"] == str(os.getpid())
        assert str(os.getpid()) in finding.remedy
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_is_not_there_names_the_pattern(config):
    device = '[beds.1]\n[[beds.1.devices]]\nlabel = "ecg"\nport = "/dev/ttyNOWHERE*"\n'
    (finding,) = RUN["ports"](box(config(device)))
    assert (finding.id, finding.values["port"]) == ("ports.missing", "/dev/ttyNOWHERE*")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"answers": False}, ["sound.silent"]),
        ({"answers": True, "speaker": "busy"}, ["sound.speaker"]),
        (
            {"answers": True, "speaker": "well", "self_test": "the device ran out of samples"},
            ["sound.self_test"],
        ),
        (
            {"answers": True, "speaker": "well", "self_test": "", "output_fault": "lamp: EIO"},
            ["sound.outputs"],
        ),
        ({"answers": True, "speaker": "well", "self_test": ""}, []),
    ],
)
def test_a_loudspeaker_that_is_not_heard(config, told, expected):
    health = HEALTH.model_copy(update={"sound": SoundTold(**told)})
    assert ids("sound", box(config(), health=health)) == expected


def test_units_that_failed_or_do_not_run_where_systemd_does(config, tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    states = {
        "vitald.service": "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=watchdog",
        "vitald-web.service": "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success",
        "vitald-worker.service": "LoadState=not-found\nActiveState=inactive",
    }
    around = box(
        config(), root=tmp_path, systemctl=lambda _show, unit, _what: states.get(unit, "ActiveState=active")
    )
    assert ids("units", around) == ["units.failed", "units.stopped"]


def test_a_process_of_before_the_upgrade_is_told_to_be_begun_anew(config, monkeypatch, tmp_path):
    """Two real processes: one that was there when the files were replaced, one that came after."""
    installed = tmp_path / "daemon"
    installed.mkdir()
    monkeypatch.setattr(daemon, "__file__", str(installed / "__init__.py"))
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeping) as before:
        time.sleep(2.5)  # starts are told apart by more than a second
        (installed / "__init__.py").touch()
        with subprocess.Popen(sleeping) as after:
            pids = {"vitald": after.pid, "vitald-web": before.pid, "vitald-sound": before.pid}
            around = Surroundings(load(config()), tmp_path, pids=pids, health=HEALTH)
            found_ = list(RUN["processes"](around))
            other = Surroundings(
                load(config()),
                tmp_path,
                pids={"vitald": after.pid},
                health=HEALTH.model_copy(update={"version": "0"}),
            )
            told = list(RUN["processes"](other))
            after.kill()
        before.kill()
    assert [(one.id, one.values["unit"]) for one in found_] == [
        ("processes.old", "vitald-web"),
        ("processes.old", "vitald-sound"),
    ]
    assert found_[0].remedy == "`systemctl restart vitald-web`."
    assert [(one.id, one.values["unit"]) for one in told] == [("processes.old", "vitald")]


# --- certificates and clouds ---------------------------------------------------------------------------------


def certificate(folder, days, name="localhost"):
    """A certificate of this name that ends in so many days, and its key; PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "box.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "box.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


CLOUD = '[forward.destinations.cloud]\nkind = "mqtt"\nhost = "{host}"\nport = {port}\nca_file = "box.pem"\n'


@pytest.mark.parametrize(
    ("days", "expected"), [(-3, ["certificates.expired"]), (12, ["certificates.ends"]), (200, [])]
)
def test_certificates_are_told_before_they_end_and_after(config, tmp_path, days, expected):
    path = config(CLOUD.format(host="localhost", port=8883))
    certificate(tmp_path / "secrets", days)
    around = Surroundings(load(path), path)
    assert ids("certificates", around) == expected


def test_a_file_that_is_no_certificate(config, tmp_path):
    path = config(CLOUD.format(host="localhost", port=8883))
    (tmp_path / "secrets/box.pem").write_text("not a certificate")
    assert ids("certificates", Surroundings(load(path), path)) == ["certificates.unreadable"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_a_cloud_without_an_address_and_one_where_nobody_listens(config):
    more = '[forward.destinations.{name}]\nkind = "rest"\nurl = "http://{host}:{port}"\nplain_http = true\n'
    path = config(
        more.format(name="nowhere", host="cloud.invalid", port=80)
        + more.format(name="closed", host="127.0.0.1", port=free_port())
    )
    found_ = {one.name: one for one in reached(load(path), sign_in=False)}
    assert found_["nowhere"].failed == "name"
    assert found_["closed"].failed == "unreachable"

    around = box(path, reached=list(found_.values()))
    assert ids("destinations", around) == ["destinations.name", "destinations.unreachable"]
    remedies = [finding.remedy for finding in RUN["destinations"](around)]
    assert str(found_["closed"].port) in remedies[1]


async def test_a_cloud_whose_certificate_is_not_trusted_and_one_whose_is(config, tmp_path):
    path = config()
    certificate(tmp_path / "secrets", 20)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "secrets/box.pem", tmp_path / "secrets/box.key")

    async def serve(_reader, writer):
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        trusted = config(CLOUD.format(host="localhost", port=port))
        well = await asyncio.to_thread(lambda: reached(load(trusted), sign_in=False))
        strange = config(CLOUD.format(host="localhost", port=port).replace('ca_file = "box.pem"\n', ""))
        bad = await asyncio.to_thread(lambda: reached(load(strange), sign_in=False))

    assert [one.failed for one in well] == [""]
    assert ids_of_destinations(path, well) == ["certificates.ends"]  # the server's, in 20 days
    assert [one.failed for one in bad] == ["tls"]
    assert ids_of_destinations(path, bad) == ["destinations.tls"]


def ids_of_destinations(path, reached_):
    around = Surroundings(load(path), path, reached=reached_)
    return [finding.id for finding in RUN["destinations"](around)]


def test_sockets_rights_are_no_findings_of_their_own(config, tmp_path):
    """A folder that everybody may write, but in which nobody may take away what is another's, is /tmp."""
    path = config()
    tmp_path.chmod(0o1777)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
    assert ids("files", box(path)) == []
