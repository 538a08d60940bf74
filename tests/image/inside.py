"""What is looked at within a booted root, by the root's own Python and nothing else. Each finding is a line of JSON in /trial/found.

`figures` are measured; `wrong` says what is not as it must be.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

import setting_up
from asking import (
    ask,
    began_s,
    must,
    page,
    processes,
    run,
    running,
    shown,
    shown_version,
    since_the_start,
    stored_samples,
    tell,
    within,
)

UNITS = ("vitald", "vitald-sound", "vitald-web", "vitald-worker", "vitald-forward")
CONFIGURATION = """# mended by a technician
[box]
name = "Trial"
[web]
host = "127.0.0.1"
port = 80
[sound]
device = "null"
[beds.1]
name = "Bed 1"
[[beds.1.devices]]
label = "ecg"
kind = "dm_ecg"
port = "/run/trial-device/ttyECG0"
"""
DEVICE = """[Service]
Type=exec
User=vitald
Group=vitald
RuntimeDirectory=trial-device
ExecStart=/usr/bin/vitald replay --as dm_ecg --port /run/trial-device/ttyECG0 patient
[Install]
WantedBy=multi-user.target
"""
ALLOWED = {
    "vitald": {"write the store", "write reports", "speak to the daemon", "speak to the sound"},
    "vitald-sound": {"speak to the sound", "real time"},
    "vitald-web": {"speak to the daemon"},
    "vitald-worker": {"write reports", "speak to the daemon"},
    "vitald-forward": {"speak to the daemon", "call out"},
}
STRIPPED = (
    "ExecStart",
    "Type",
    "Restart",
    "WatchdogSec",
    "RuntimeDirectory",
    "NotifyAccess",
    "SyslogIdentifier",
    "LoadCred",
)


def installed() -> None:
    for unit in UNITS:
        must(
            f"{unit} runs after the installation",
            within(60, lambda u=unit: running(u)) is not None,
            run("systemctl", "status", unit),
        )
    must(
        "the box is well after its start (vitald-health)",
        within(60, lambda: shown("vitald-health", "ActiveState") == "active"),
        run("journalctl", "-u", "vitald-health", "-o", "cat"),
    )
    setting_up.CONFIGURATION.write_text(CONFIGURATION)
    Path("/etc/vitald/credentials/token").write_text("first")
    Path("/etc/vitald/credentials/token").chmod(0o600)
    Path("/etc/systemd/system/trial-device.service").write_text(DEVICE)
    run("systemctl", "daemon-reload", check=True)
    run("systemctl", "enable", "--now", "trial-device", check=True)
    run("systemctl", "restart", "vitald.target", check=True)
    for unit in UNITS:
        must(
            f"{unit} is ready",
            within(60, lambda u=unit: running(u)) is not None,
            run("systemctl", "status", unit),
        )
    must("samples are stored", within(60, stored_samples) is not None, run("vitald", "status"))
    must(
        "the pages answer on port 80, which the unprivileged process could not open",
        within(30, page) is not None,
        run("systemctl", "status", "vitald-web.socket"),
    )
    must(
        "the box is well (vitald-health)",
        within(90, lambda: shown("vitald-health", "ActiveState") == "active"),
        run("journalctl", "-u", "vitald-health", "-o", "cat"),
    )
    must("no unit has failed", "0 loaded" in run("systemctl", "--failed"), run("systemctl", "--failed"))


def units() -> None:
    told = run(
        "systemd-analyze",
        "verify",
        "--man=no",
        *(str(one) for one in Path("/usr/lib/systemd/system").glob("vitald*") if one.is_file()),
    )
    must("systemd-analyze verify says nothing", "vitald" not in told, told)
    if "verify" in run("udevadm", "--help"):
        told = run("udevadm", "verify", "/usr/lib/udev/rules.d/60-vitald.rules")
        must("udevadm verify", "Success: 1" in told, told)
    for unit in UNITS:
        must(
            f"{unit} has a network of its own, but the forwarder",
            (_network(unit) == _network("")) == (unit == "vitald-forward"),
            _network(unit),
        )
    if shown("vitald-web", "RestartSteps"):
        must(
            "what fails again and again is begun less often",
            shown("vitald-web", "RestartSteps") == "6",
            shown("vitald-web", "RestartSteps"),
        )

    def error() -> str:  # a loudspeaker that plays too fast is one, once its test has ended
        return run("journalctl", "-u", "vitald-sound", "-o", "json", "-p", "err", "-n", "1")

    within(60, error)
    must(
        "the journal has priority and process as fields",
        '"VITALD_PROCESS":"sound"' in error() and '"PRIORITY":"3"' in error(),
        error(),
    )
    must("the journal survives a restart", list(Path("/var/log/journal").glob("*/system.journal")), "")


def _network(unit: str) -> str:
    pid = shown(unit, "MainPID") if unit else "1"
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def credentials() -> None:
    handed = Path("/run/credentials/vitald-forward.service/secret_token")
    before = shown("vitald-forward", "MainPID")
    must(
        "the secret is handed to the forwarder",
        within(20, lambda: handed.exists() and handed.read_text() == "first") is not None,
        "",
    )
    for user in ("vitald", "vitald-web", "vitald-worker"):
        told = run("setpriv", f"--reuid={user}", "--regid=vitald", "--init-groups", "cat", str(handed))
        must(f"{user} cannot read it", "Permission denied" in told, told)
    Path("/etc/vitald/credentials/token").write_text("renewed")
    took = within(
        40,
        lambda: (
            handed.exists()
            and handed.read_text() == "renewed"
            and shown("vitald-forward", "MainPID") != before
        ),
    )
    must(
        "a renewed secret is handed over by itself",
        took is not None,
        run("systemctl", "status", "vitald-credentials.service"),
    )


def sandbox() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    for unit in UNITS:
        text = (
            Path(f"/usr/lib/systemd/system/{unit}.service")
            .read_text()
            .split("[Service]")[1]
            .split("[Install]")[0]
        )
        kept = [line for line in text.splitlines() if not line.startswith(STRIPPED)]
        own = f"Type=oneshot\nExecStart=/usr/lib/vitald/bin/python3 -I /trial/probe.py {port}\n"
        Path(f"/run/systemd/system/probe-{unit}.service").write_text(
            "[Service]\n" + "\n".join(kept) + "\n" + own
        )
    run("systemctl", "daemon-reload")
    for unit in UNITS:
        run("systemctl", "start", f"probe-{unit}")
        told = run("journalctl", "-u", f"probe-{unit}", "-o", "cat")
        line = next((one for one in told.splitlines() if one.startswith("PROBE ")), "PROBE {}")
        found = json.loads(line[6:])
        done = {name for name, answer in found.items() if answer == "done"}
        must(
            f"the sandbox of {unit} lets through what it must, and no more",
            found and done == ALLOWED[unit],
            {"done": sorted(done), "all": found, "told": "" if found else told[-1500:]},
        )


def failure_tone() -> None:
    run("systemctl", "stop", "vitald")
    time.sleep(5.5)
    must(
        "the sound process sounds the failure tone when the daemon is gone", playing() == "failure", playing()
    )
    run("systemctl", "start", "vitald")
    must("and no longer when it is back", within(40, speaks_again) is not None, playing())


def speaks_again() -> bool:
    """By the sound process's own word: while the daemon speaks to it, nobody else is told what it plays."""
    told = run("journalctl", "-u", "vitald-sound", "-o", "cat")
    return told.rfind("the daemon speaks again") > told.rfind("the daemon is silent: failure tone") >= 0


def playing() -> str:
    """What the sound process says it plays: as root, on its own socket."""
    try:
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(3)
            to.connect("/run/vitald-sound/sound.sock")
            return json.loads(to.makefile().readline())["playing"]
    except (OSError, ValueError, KeyError) as error:
        return f"({error})"


def watchdog() -> None:
    within(60, lambda: all(running(unit) for unit in UNITS))
    before = {unit: (shown(unit, "MainPID"), int(shown(unit, "NRestarts"))) for unit in UNITS}
    began = time.monotonic()
    for pid, _ in before.values():
        os.kill(int(pid), 19)  # SIGSTOP: it is there, and does nothing
    for unit in UNITS:
        pid, restarts = before[unit]
        took = within(150, lambda u=unit, p=pid: running(u) and shown(u, "MainPID") not in {p, "0"})
        must(
            f"{unit} stands still: the watchdog ends it and it comes back",
            took is not None and int(shown(unit, "NRestarts")) > restarts,
            run("systemctl", "status", unit),
        )
        tell(
            figure=f"seconds from standing still to ready again, {unit}",
            value=round(time.monotonic() - began, 1),
        )
    samples = stored_samples()
    must("samples are stored again", within(60, lambda: stored_samples() > samples) is not None, "")


def upgraded(package: str) -> None:
    rows, version = stored_samples(), shown_version()
    patient, configuration = ask("SELECT count(*) FROM boots"), setting_up.CONFIGURATION.read_text()
    began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    began = time.monotonic()
    run("apt-get", "install", "-y", "-qq", package, check=True)
    tell(figure="seconds of the upgrade", value=round(time.monotonic() - began, 1))
    must("the version is another", shown_version() != version, (version, shown_version()))
    for unit in UNITS:
        must(
            f"{unit} is ready after the upgrade",
            within(90, lambda u=unit: running(u)) is not None,
            run("systemctl", "status", unit),
        )
    must(
        "samples go on",
        within(60, lambda: stored_samples() > rows + 5000) is not None,
        (rows, stored_samples()),
    )
    must("the data are kept", stored_samples() > rows and ask("SELECT count(*) FROM boots") >= patient, rows)
    must("the configuration is kept", setting_up.CONFIGURATION.read_text() == configuration, "")
    times = ask(
        f"SELECT t0_ns, t0_ns + n * period_ns FROM chunks WHERE t0_ns > {began_ns - 5 * 10**9} ORDER BY t0_ns"
    )
    gaps = [b[0] - a[1] for a, b in zip(times, times[1:], strict=False)]
    tell(figure="seconds without samples during the upgrade", value=round(max(gaps, default=0) / 1e9, 2))
    must(
        "the box is well after the upgrade (vitald-health)",
        within(90, lambda: shown("vitald-health", "ActiveState") == "active"),
        run("journalctl", "-u", "vitald-health", "-o", "cat"),
    )


def doctor() -> None:
    """What it finds that is bad; what only may become so (no network here, nobody keeps the clock) is shown."""
    told = json.loads(run("vitald", "doctor", "--json"))
    found = [one for check in told["checks"] for one in check["findings"]]
    bad = [one for one in found if one["grade"] == "fail" or one["id"] == "processes.old"]
    bad = [one for one in bad if not one["id"].startswith("sound.")]  # its device is none
    must("vitald doctor finds nothing that is bad", not bad, bad)
    tell(check="doctor", well=True, detail=[one["meaning"] for one in found])


def first(new: str) -> None:
    installed()
    units()
    credentials()
    sandbox()
    failure_tone()
    watchdog()
    setting_up.crash_reports(("daemon", "sound", "web", "worker", "forwarder"))
    setting_up.stick_is_ready()
    setting_up.the_page()
    setting_up.factory_reset()
    setting_up.the_stick()
    setting_up.certificate()
    upgraded(new)
    setting_up.an_update_that_waits()
    doctor()


def second() -> None:
    """Started before everything else: how long until a sample of this boot is stored?"""
    seconds = within(120, since_the_start)
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    must("samples are stored after a restart", seconds is not None, run("systemctl", "status", "vitald"))
    tell(figure="seconds from systemd's start to the first stored sample", value=round(now - began_s(), 1))
    for unit in UNITS:
        must(
            f"{unit} is ready after a restart",
            within(90, lambda u=unit: running(u)) is not None,
            run("systemctl", "status", unit),
        )
    run("systemctl", "disable", "--now", "trial-device")
    run("apt-get", "remove", "-y", "-qq", "vitald", check=True)
    must(
        "nothing of it runs once it is removed",
        not processes(),
        processes(),
    )
    must(
        "removal keeps data, configuration and secrets",
        stored_samples()
        and Path("/etc/vitald/vitald.toml").exists()
        and Path("/etc/vitald/credentials/token").exists(),
        run("ls", "-lR", "/etc/vitald", "/var/lib/vitald"),
    )
    must(
        "removal takes the program",
        not Path("/usr/lib/vitald").exists() and not Path("/usr/bin/vitald").exists(),
        run("find", "/usr/lib/vitald"),
    )
    run("apt-get", "purge", "-y", "-qq", "vitald", check=True)
    left = [
        str(p)
        for p in (
            Path("/etc/vitald"),
            *Path("/var/lib").glob("vitald*"),
            *Path("/etc/systemd/system").glob("**/vitald*"),
        )
        if p.exists() or p.is_symlink()
    ]
    must("purging leaves nothing", not left, left)


if __name__ == "__main__":
    {"first": first, "second": second}[sys.argv[1]](*sys.argv[2:])
