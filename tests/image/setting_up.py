"""Units that do one thing and end, each seen to do it within a booted root: first settings of the page, of a stick; the certificate; crash
reports; an update that waits.

By the root's own Python and nothing else (inside.py). The stick is a disk image of the machine that boots the root, at `/dev/vitald-stick`.
"""

from __future__ import annotations

import fcntl
import json
import socket
import sqlite3
import ssl
import struct
import tomllib
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from asking import must, page, run, running, shown, stored_samples, within

CONFIGURATION = Path("/etc/vitald/vitald.toml")
PEOPLE = Path("/var/lib/vitald/box.db")
ADDRESS = "10.9.0.1"
"""Of no network: the pages are told to be served there as in a ward's."""

PYTHON = "/usr/lib/vitald/bin/python3"
PAGE = "http://127.0.0.1/setup"
SIOCSIFADDR = 0x8916


def the_page() -> None:
    """A box on which nobody has an account shows /setup; what is said there is put in force by root's unit, which ends well."""
    must(
        "a box on which nobody has an account serves the page of first settings", to_be_set_up(), opened(PAGE)
    )
    asked = {
        "code": "",
        "person": {"full_name": "Anna Admin"},
        "password": "a password of a person",
        "box": {"name": "Trial of the page", "ward": "3B", "serial": "", "beds": {"1": "Window"}},
    }
    answer = posted("http://127.0.0.1/api/setup", asked)
    must("the page takes the first settings", answer.get("next") == "wait", answer)
    took = within(60, lambda: configured("box", "name") == "Trial of the page")
    must("vitald-setup has put them in force", took is not None, journal("vitald-setup"))
    all_settled("the page")
    must("the first administrator has an account", rows("SELECT count(*) FROM people") == [(1,)], "")
    stick_comes()
    told = journal("vitald-stick@*")
    late = "Somebody has an account" in told and not Path("/run/vitald-stick/stick").exists()
    must("a stick is not looked at any more, and the log says why", late, told)


def factory_reset() -> None:
    """As a technician does it: stopped, erased, begun anew, and the box is as it came but for its configuration."""
    run("systemctl", "stop", "vitald.target", check=True)
    stopped = within(30, lambda: shown("vitald", "ActiveState") == "inactive")
    must("the target stops the daemon", stopped is not None, run("systemctl", "status", "vitald"))
    told = run("vitald", "factory-reset", "--name", "Trial of the page")
    must("the factory reset erases the accounts", not PEOPLE.exists(), told)
    run("systemctl", "start", "vitald.target", check=True)
    again = within(60, lambda: running("vitald") and page())
    must("the box begins anew after it", again is not None, run("systemctl", "status", "vitald"))
    must("and serves the page of first settings again", to_be_set_up(), opened(PAGE))


def the_stick() -> None:
    """A stick is mounted by the unit that may only mount, and put in force by the one that may only change the box."""
    address()
    stick_comes()
    must("the stick is copied", "cannot be read" not in journal("vitald-stick@*"), journal("vitald-stick@*"))
    took = within(60, lambda: configured("box", "name") == "Trial of the stick")
    must("what is on the stick is in force", took is not None, journal("vitald-setup"))
    all_settled("the stick")
    secret = Path("/etc/vitald/credentials/cloud-key")
    must(
        "its secret is root's alone",
        secret.exists() and secret.read_text() == "of the stick" and secret.stat().st_mode & 0o777 == 0o600,
        run("ls", "-l", "/etc/vitald/credentials"),
    )
    must("its people have accounts", rows("SELECT count(*) FROM people") == [(2,)], journal("vitald"))
    must("nothing of it is left mounted", "/vitald-stick-" not in Path("/proc/mounts").read_text(), "")
    must(
        "its copy is taken away",
        not Path("/run/vitald-stick/stick").exists(),
        run("ls", "-lR", "/run/vitald-stick"),
    )


def certificate() -> None:
    """Made by vitald-cert for the new address, and served by the pages, which browsers that trust the box's authority accept."""
    trusted = Path("/var/lib/vitald-cert/trust.crt")
    took = within(60, trusted.exists)
    must("vitald-cert has made a certificate", took is not None, journal("vitald-cert"))
    if took is None:
        return
    must(
        "its key is read by nobody else",
        all((trusted.parent / name).stat().st_mode & 0o007 == 0 for name in ("authority.pem", "served.pem")),
        run("ls", "-l", str(trusted.parent)),
    )
    context = ssl.create_default_context(cafile=str(trusted))
    took = within(60, lambda: opened(f"https://{ADDRESS}:8443/", context)[0])
    must("the pages are served with it", took is not None, opened(f"https://{ADDRESS}:8443/", context))
    must("and without it to the box itself alone", page() == 200, "")
    told = run("vitald", "cert", "show")
    must("vitald cert show tells of it", ADDRESS in told, told)


def crash_reports(processes: tuple[str, ...]) -> None:
    """After every process was ended by its watchdog: each has left a report."""
    told = run("vitald", "crash", "list", "--json")
    lacking = [name for name in processes if f'"{name}"' not in told]
    must(
        "each process that its watchdog ended has left a crash report",
        "watchdog" in told and not lacking,
        told,
    )


def to_be_set_up() -> bool:
    """Whether the page asks for the first administrator, and the command line says so."""
    return 'id="setup-form"' in opened(PAGE)[1] and '"needed": true' in run(
        "vitald", "setup", "show", "--json"
    )


def an_update_that_waits() -> None:
    """A box with slots in the place of this one: its kernel's command line, its boot partition, and a restart that is only noted.

    The unit and its sandbox are as they are shipped; five minutes are three seconds.
    """
    Path("/efi").mkdir(exist_ok=True)
    prepare = """
from pathlib import Path
from daemon.appliance import keeping, slots
from daemon.config import load
slots.write(slots.States(("A", "B"), slots.Slot("good", 3), slots.Slot("new", 1)), Path("/efi"))
keeping.tell(load(Path("/etc/vitald/vitald.toml")), slot="B", before="1", to="2", installed_at="T", waiting=True)
"""
    told = run(PYTHON, "-Ic", prepare)
    units, done = Path("/run/systemd/system"), Path("/trial/started-anew")
    (units / "reboot.target").write_text("[Unit]\nDescription=noted\nWants=noted.service\n")
    (units / "noted.service").write_text(f"[Service]\nType=oneshot\nExecStart=/usr/bin/touch {done}\n")
    Path("/trial/cmdline").write_text("root=PARTLABEL=rootA rauc.slot=A vitald.state=good\n")
    dropin = units / "vitald-waiting.service.d"
    dropin.mkdir(exist_ok=True)
    short = "from daemon.appliance import waiting as w; w.QUIET_S = 3; raise SystemExit(w.main([]))"
    (dropin / "slots.conf").write_text(
        "[Unit]\nConditionKernelCommandLine=\n[Service]\nBindReadOnlyPaths=/trial/cmdline:/proc/cmdline\n"
        f'ExecStart=\nExecStart={PYTHON} -Ic "{short}"\n'
    )
    run("systemctl", "daemon-reload", check=True)
    run("systemctl", "start", "vitald-waiting", check=True)
    must(
        "an update that waits is tried when nobody is admitted",
        within(60, done.exists),
        told + journal("vitald-waiting"),
    )
    read = "from pathlib import Path\nfrom daemon.appliance import slots\nprint(slots.read(Path('/efi')).primary())"
    must(
        "its slot is the next that is started",
        run(PYTHON, "-Ic", read).strip() == "B",
        run(PYTHON, "-Ic", read),
    )
    ended = within(30, lambda: _ended("vitald-waiting") and shown("vitald-waiting", "Result") == "success")
    must("vitald-waiting has ended well", ended is not None, journal("vitald-waiting"))
    kept = Path("/var/lib/vitald/update.json")
    must("technicians may read of it", kept.exists() and kept.group() == "vitald", run("ls", "-l", str(kept)))
    for left in (dropin / "slots.conf", units / "reboot.target", units / "noted.service"):
        left.unlink()
    kept.unlink()
    run("systemctl", "daemon-reload", check=True)


def all_settled(source: str) -> None:
    """After first settings: they are in the audit, the unit has ended well, and the pages and samples are back."""
    ended = within(30, lambda: shown("vitald-setup", "Result") == "success" and _ended("vitald-setup"))
    must(f"vitald-setup has ended well ({source})", ended is not None, journal("vitald-setup"))
    back = within(90, lambda: running("vitald") and running("vitald-web") and page())
    must(f"the box is back after {source}", back is not None, run("systemctl", "status", "vitald.target"))
    lines = "SELECT count(*) FROM audit WHERE act = 'first_setting'"
    audited = within(30, lambda: (rows(lines) or [(0,)])[0][0] > 0)
    must(f"the audit has what was set by {source}", audited is not None, rows("SELECT act FROM audit"))
    samples = stored_samples()
    must(f"samples go on after {source}", within(60, lambda: stored_samples() > samples) is not None, samples)


def stick_comes() -> None:
    """What udev does when one is put in: there are no events of udev in a container."""
    run("systemctl", "start", "vitald-stick@vitald\\x2dstick.service")


def stick_is_ready() -> None:
    """The kernel here need not know FAT: what calls mount(8) is given one that takes the image for what it is. The unit and its
    sandbox are as they are shipped, but that a loop device is allowed like a stick's."""
    mount = Path("/usr/local/sbin/mount")
    mount.write_text('#!/bin/sh\nexec /usr/bin/mount -t ext4 -o "$4,noload" "$5" "$6"\n')
    mount.chmod(0o755)
    dropin = Path("/run/systemd/system/vitald-stick@.service.d")
    dropin.mkdir(parents=True, exist_ok=True)
    (dropin / "loop.conf").write_text("[Service]\nDeviceAllow=block-loop r\n")
    run("systemctl", "daemon-reload", check=True)


def address() -> None:
    """One more on the loopback interface: a container without a network has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        where = struct.pack("16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton(ADDRESS))
        fcntl.ioctl(asked, SIOCSIFADDR, where)


def opened(url: str, context: ssl.SSLContext | None = None) -> tuple[str, str]:
    """Where one lands, and what is there."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return answer.geturl(), answer.read().decode("utf-8", "replace")
    except OSError as error:
        return "", str(error)


def posted(url: str, body: object) -> dict:
    origin = url[: url.index("/api")]
    headers = {"Content-Type": "application/json", "Origin": origin, "Sec-Fetch-Site": "same-origin"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode("utf-8", "replace")}
    except (OSError, ValueError) as error:
        return {"text": str(error)}


def configured(table: str, key: str) -> object:
    return tomllib.loads(CONFIGURATION.read_text()).get(table, {}).get(key)


def rows(sql: str) -> list[tuple]:
    try:
        with closing(sqlite3.connect(f"file:{PEOPLE}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()
    except sqlite3.Error:
        return []


def journal(unit: str) -> str:
    return run("journalctl", "-u", unit, "-o", "cat", "-n", "40")


def _ended(unit: str) -> bool:
    return shown(unit, "ActiveState") in {"inactive", "failed"}
