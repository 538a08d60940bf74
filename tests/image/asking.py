"""How it is asked within a booted root (inside.py): of systemd, of the store, of the pages."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
import urllib.request
from pathlib import Path

STORE = "/var/lib/vitald/vitald.db"


def tell(**found) -> None:
    with Path("/trial/found").open("a") as file:
        file.write(json.dumps(found) + "\n")


def must(what: str, holds: object, detail: object = "") -> None:
    tell(check=what, well=bool(holds), detail=str(detail)[:2000])


def run(*words: str, check: bool = False) -> str:
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and told.returncode:
        tell(check=" ".join(words), well=False, detail=told.stdout + told.stderr)
    return told.stdout + told.stderr


def shown(unit: str, name: str) -> str:
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def within(seconds: float, holds) -> float | None:
    """How long it took until it held."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if holds():
            return time.monotonic() - began
        time.sleep(0.05)
    return None


def running(unit: str) -> bool:
    return shown(unit, "ActiveState") == "active" and shown(unit, "SubState") == "running"


def ask(sql: str) -> list[tuple]:
    try:
        db = sqlite3.connect(f"file:{STORE}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return []


def stored_samples() -> int:
    return (ask("SELECT sum(n) FROM chunks") or [(0,)])[0][0] or 0


def began_s() -> float:
    """When this root's systemd started, on CLOCK_BOOTTIME."""
    return int(Path("/proc/1/stat").read_text().rsplit(") ", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")


def since_the_start() -> bool:
    """Whether a sample is stored that arrived since then (the boot's id is the host's in a container's own /proc)."""
    found = ask("SELECT max(arrived_ns) FROM chunks")
    return bool(found and found[0][0] and found[0][0] / 1e9 > began_s())


def page() -> int:
    try:
        with urllib.request.urlopen("http://127.0.0.1/", timeout=5) as answer:
            return answer.status
    except OSError:
        return 0


def processes() -> list[str]:
    """Command lines of everything that is vitald's."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "/usr/bin/vitald" in line:
            found.append(line)
    return found


def shown_version() -> str:
    return run("dpkg-query", "-W", "-f", "${Version}", "vitald")
