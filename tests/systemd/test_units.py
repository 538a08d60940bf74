"""The units as systemd's own tools see them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd import page

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd's tools are not here"
)

PROCESSES = ("vitald", "vitald-forward", "vitald-sound", "vitald-web", "vitald-worker")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="folders are given to users")


def text(name: str) -> str:
    return (page.UNITS / name).read_text(encoding="utf-8")


def test_systemd_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    for unit in page.UNITS.glob("vitald*"):
        runs = re.sub(r"/usr/bin/vitald|/usr/lib/vitald/bin/python3", "/usr/bin/env", unit.read_text())
        (tmp_path / unit.name).write_text(runs)

    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(str(unit) for unit in tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in told.stderr.splitlines() if "vitald" in line] == []


@pytest.mark.parametrize("unit", [unit.stem for unit in page.services()])
def test_the_sandbox_leaves_little_open_and_says_why(unit: str) -> None:
    score, left = page.exposures(page.UNITS / f"{unit}.service")

    assert score < page.MOST
    assert [name for name in left if not page.why(page.UNITS / f"{unit}.service", name)] == []


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or page.version() != page.VERSION,
    reason="another systemd's scores",
)
def test_the_page_of_the_units_is_current() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "python -m tests.systemd.page"


@pytest.mark.parametrize("unit", PROCESSES)
def test_a_process_is_watched_and_never_given_up(unit: str) -> None:
    service = page.UNITS / f"{unit}.service"

    assert page.setting(service, "Type") == "notify"
    assert page.setting(service, "Restart") == "always"
    assert page.setting(service, "StartLimitIntervalSec") == "0"
    assert page.setting(service, "RestartPreventExitStatus") == "78"
    assert page.setting(service, "WatchdogSec")
    assert page.setting(service, "LimitCORE") == "0", "a core file holds a patient's data"


def test_what_must_not_stop_has_its_way_before_what_may() -> None:
    weight = {unit: int(page.setting(page.UNITS / f"{unit}.service", "CPUWeight")) for unit in PROCESSES}
    kept = {unit: int(page.setting(page.UNITS / f"{unit}.service", "OOMScoreAdjust")) for unit in PROCESSES}
    may_stop = {"vitald-forward", "vitald-web", "vitald-worker"}

    assert min(weight["vitald"], weight["vitald-sound"]) > max(weight[unit] for unit in may_stop)
    assert max(kept["vitald"], kept["vitald-sound"]) < min(kept[unit] for unit in may_stop)


def test_the_target_starts_every_unit_that_can_be_enabled() -> None:
    wanted = set(" ".join(re.findall(r"^Wants=(.*)$", text("vitald.target"), re.MULTILINE)).split())
    enabled = {
        unit.name for unit in page.UNITS.glob("vitald*") if "WantedBy=vitald.target" in unit.read_text()
    }

    assert wanted == enabled
    assert "Requires=" not in text("vitald.target")


def test_the_package_enables_and_purges_the_same_units() -> None:
    enabled = {"vitald.target"} | {
        unit.name for unit in page.UNITS.glob("vitald*") if "WantedBy=vitald.target" in unit.read_text()
    }
    for name in ("postinst", "postrm"):
        script = (page.ROOT / "image/package/debian" / name).read_text()
        assert enabled <= set(re.findall(r"vitald[a-z-]*\.[a-z]+", script)), name


@as_root
def test_users_and_folders_are_made_and_nobody_reads_secrets(tmp_path: Path) -> None:
    for command, folder in (("systemd-sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles.d")):
        (tmp_path / "etc").mkdir(exist_ok=True)
        create = ["--create"] if folder == "tmpfiles.d" else []
        groups = tmp_path / "etc/group"
        if not groups.exists():
            groups.write_text("audio:x:29:\ndialout:x:20:\nroot:x:0:\n")
            (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        subprocess.run(
            [command, f"--root={tmp_path}", *create, str(page.UNITS / folder / "vitald.conf")], check=True
        )
    users = dict(line.split(":")[:1] * 2 for line in (tmp_path / "etc/passwd").read_text().splitlines())
    members = {
        line.split(":")[0]: set(line.split(":")[3].split(",")) for line in groups.read_text().splitlines()
    }

    asked_for = {page.setting(page.UNITS / f"{unit}.service", "User") for unit in PROCESSES}
    assert asked_for <= set(users)
    assert members["vitald-sound"] == {"vitald"}, "who may speak to the sound process can silence alarms"
    assert (tmp_path / "etc/vitald/credentials").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/vitald/credentials").stat().st_uid == 0
    assert (tmp_path / "var/lib/vitald").stat().st_mode & 0o007 == 0


def test_the_journal_has_bounds() -> None:
    kept = dict(
        line.split("=", 1)
        for line in text("journald.conf.d/60-vitald.conf").splitlines()
        if "=" in line and line[0] != "#"
    )

    assert kept["Storage"] == "persistent"
    assert {"SystemMaxUse", "SystemKeepFree", "RuntimeMaxUse"} <= set(kept)


def test_the_machines_own_watchdog_is_armed_for_what_a_raspberry_pi_can_count() -> None:
    said = re.findall(r"^RuntimeWatchdogSec=(\d+)s$", text("system.conf.d/60-vitald.conf"), re.MULTILINE)

    assert len(said) == 1
    assert 5 <= int(said[0]) < 15, "bcm2835_wdt counts to 15 s"


def test_udev_rules_are_well_formed() -> None:
    pair = r'[A-Z]+(?:\{[\w/]+\})?\s*(?:==|!=|\+=|:=|=)\s*"[^"]*"'
    for line in text("udev/60-vitald.rules").splitlines():
        assert not line or line.startswith("#") or re.fullmatch(rf"{pair}(?:, {pair})*", line), line
