"""`python -m tests.systemd.page`: docs/units.md, made of the units and of what `systemd-analyze security` says of them.

The page says why each remaining exposure remains; one that has no reason here cannot be printed, and fails the test.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
PAGE = ROOT / "docs/units.md"
VERSION = "252"
"""systemd's, whose scores the page prints: that of Debian 12."""

MOST = 1.5

WHY = {
    "RootDirectoryOrRootImage": "`ProtectSystem=strict` leaves the file system to be read, not to be written; an image of its own "
    "would be a second copy of Python to keep patched",
    "RestrictAddressFamilies_AF_UNIX": "processes speak to each other, to the journal and to systemd by Unix sockets",
    "DeviceAllow": "what is listed in the unit; `ProtectClock=` adds the clock, to be read, by itself",
    "UMask": "the group `vitald` reads what this process writes (the store, sockets, reports)",
    "SupplementaryGroups": "`dialout`: serial ports belong to it",
    "PrivateDevices": "it needs devices; `DevicePolicy=closed` leaves those listed in the unit",
    "PrivateUsers": "devices and sockets are given to its group by number, and must be seen as they are",
    "ProcSubset": "it reads the boot's id, or memory and pressure, in /proc; other processes stay invisible (`ProtectProc=`)",
    "SystemCallFilter_resources": "the sound takes its place before other processes, so that a burst does not stutter; the worker "
    "limits the memory and time of what makes a report",
    "RestrictRealtime": "the same: `SCHED_FIFO` at 20",
    "ProtectClock": "it asks the kernel whether the clock is kept, and has no capability to set it",
    "SystemCallFilter_clock": "the same: `adjtimex` alone",
    "SystemCallFilter_privileged": "the same: systemd counts the question among what only root may do",
    "PrivateNetwork": "the network is what it is there for",
    "RestrictAddressFamilies_AF_INET_INET6": "the network is what it is there for",
    "IPAddressDeny": "the addresses that are left are its task: private networks, or a cloud's, wherever that is",
    "UserOrDynamicUser": "only root may ask systemd to restart a unit; it has no capability, no network and no device",
}

WHY_HERE = {
    (
        "vitald-forward",
        "PrivateDevices",
    ): "a stick is known by its name in /dev/disk; none is ever opened (`DevicePolicy=closed`)",
    (
        "vitald-cert",
        "PrivateNetwork",
    ): "the addresses of the interfaces stand in the certificate; it can send nothing (`IPAddressDeny=any`)",
    (
        "vitald-cert",
        "RestrictAddressFamilies_AF_INET_INET6",
    ): "an interface is asked for its address by a socket of that kind",
    ("vitald-cert", "ProcSubset"): "the interfaces' addresses, and whether the clock is kept, stand in /proc",
    ("vitald-credentials", "PrivateUsers"): "to be root for systemd it must be root outside",
    (
        "vitald-setup",
        "CapabilityBoundingSet_CAP_CHOWN_FSETID_SETFCAP",
    ): "what it leaves for the daemon is the daemon's",
    (
        "vitald-setup",
        "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER",
    ): "the daemon's folder is closed to everybody else, root without this right too",
    (
        "vitald-stick@",
        "CapabilityBoundingSet_CAP_SYS_ADMIN",
    ): "only who has it may mount; it may change nothing else",
    (
        "vitald-stick@",
        "SystemCallFilter_mount",
    ): "it mounts a stick, read-only, where no other process sees it",
    (
        "vitald-setup",
        "SystemCallFilter_privileged",
    ): "`chown`, for what it leaves for the daemon, and nothing else of them",
    ("vitald-stick@", "SystemCallFilter_privileged"): "some of the calls for mounting are counted here too",
    (
        "vitald-waiting",
        "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER",
    ): "the daemon's folder is closed to everybody else, root without this right too",
    ("vitald-waiting", "ProcSubset"): "which slot runs stands in /proc/cmdline",
    (
        "vitald-waiting",
        "PrivateUsers",
    ): "to be root for systemd and the boot partition it must be root outside",
    ("vitald-setup", "PrivateUsers"): "to be root for systemd and the files in /etc it must be root outside",
    ("vitald-stick@", "PrivateUsers"): "to be root for systemd and the files in /etc it must be root outside",
}

NOTES = {
    "vitald-web": "Its listening socket is opened by systemd and handed to it. It has no network of its own: it can answer, "
    "and call nobody.",
    "vitald-forward": "The one process with a network. Secrets are root's files; each start hands them to this process alone.",
    "vitald-sound": "The daemon alone is in its group: who may speak to it can silence alarms.",
    "vitald-worker": "It may be killed at any time; the job is tried again.",
    "vitald": "No network: it cannot send a patient's data anywhere. Fed watchdog: a Tick that has come out of the whole way of "
    "a sample.",
    "vitald-health": "After each start: do samples flow, does the store write, do the pages answer? An update that asks is kept "
    "or taken back by this.",
    "vitald-cert": "Run by vitald-cert.timer; the pages do not wait for it. Its user alone reads the key of the box's "
    "authority.",
    "vitald-setup": "The daemon may not write /etc, and the pages still less: the first set-up's settings are checked again and "
    "carried out here (vitald-setup.path). Only names, beds, serial number and clock can be asked for this way.",
    "vitald-stick@": "Begun by udev for a USB stick called VITALD. Where somebody has an account it ends before the stick is "
    "mounted; else it is mounted read-only, in a name space of its own.",
    "vitald-waiting": "Runs where an update waits until nobody is admitted (`vitald update install --when-discharged`), on boxes "
    "with slots alone.",
    "vitald-credentials": "Restarts the forwarder when a secret has been renewed (vitald-credentials.path).",
}

LIMITS = (
    "WatchdogSec",
    "Restart",
    "RestartSec",
    "CPUWeight",
    "IOWeight",
    "OOMScoreAdjust",
    "MemoryHigh",
    "MemoryMax",
    "TasksMax",
)


def services() -> list[Path]:
    return sorted(UNITS.glob("*.service"), key=lambda unit: (unit.stem not in NOTES, unit.stem))


def setting(unit: Path, name: str) -> str:
    """The last value of a setting of [Service]."""
    found = re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return found[-1] if found else ""


def description(unit: Path) -> str:
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    reader.read(unit, encoding="utf-8")
    return reader["Unit"]["Description"].removeprefix("vitald: ")


@cache
def exposures(unit: Path) -> tuple[float, dict[str, float]]:
    """The score, and what it is made of."""
    score = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit.name],
        cwd=UNITS,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--json=short", unit.name],
        cwd=UNITS,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    overall = re.search(r"Overall exposure level for \S+: ([\d.]+)", score)
    assert overall is not None, score
    left = {row["json_field"]: float(row["exposure"] or 0) for row in json.loads(rows)}
    return float(overall[1]), {name: value for name, value in left.items() if value > 0}


def page() -> str:
    lines = [
        "# Units",
        "",
        (
            "Made by `python -m tests.systemd.page` from `systemd/`; do not edit. Scores are those of `systemd-analyze security "
            f"--offline=yes` of systemd {VERSION} (0 is best, 10 worst; a unit with nothing set has 9.6). The test holds each below "
            f"{MOST}."
        ),
        "",
        (
            "`vitald.target` groups them: `systemctl restart vitald.target`. They want each other and never require each other, but "
            "that the pages need their socket. None is ever given up (`StartLimitIntervalSec=0`); exit 78, a configuration that "
            "cannot be used, alone ends in `failed`. On Debian 13 pages, worker and forwarder are begun anew less and less often "
            "when they fail again and again (systemd/backoff; Debian 12's systemd knows no such setting)."
        ),
        "",
        f"| unit | score | user | {' | '.join(f'`{name}`' for name in LIMITS)} |",
        f"|---|---|---|{'---|' * len(LIMITS)}",
    ]
    found = {unit: exposures(unit) for unit in services()}
    for unit, (score, _) in found.items():
        values = " | ".join(setting(unit, name) or "-" for name in LIMITS)
        lines.append(f"| {unit.stem} | {score:.1f} | {setting(unit, 'User') or 'root'} | {values} |")
    for unit, (score, left) in found.items():
        lines += [
            "",
            f"## {unit.stem}",
            "",
            f"{description(unit)[0].upper()}{description(unit)[1:]}. {NOTES[unit.stem]}",
            "",
        ]
        lines += [f"What the score of {score:.1f} is made of:", ""]
        lines += [
            f"- `{name}` {value:.1f}: {why(unit, name)}."
            for name, value in sorted(left.items(), key=lambda row: (-row[1], row[0]))
        ]
    return "\n".join(lines) + "\n"


def why(unit: Path, name: str) -> str:
    return WHY_HERE.get((unit.stem, name)) or WHY[name]


def version() -> str:
    """Of the systemd at hand."""
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return told.split()[1]


if __name__ == "__main__":
    if version() != VERSION:
        sys.exit(f"this is systemd {version()}; the page's scores are those of {VERSION}")
    PAGE.write_text(page(), encoding="utf-8")
