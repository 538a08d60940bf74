"""What a box's stores say after a power cut, of a box that was started and of a data partition that was not, beside what it had acknowledged."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

from tests.image.boxes import DATA_MB, MACHINES, ROOT_MB, medium


def compared(guest, ack: dict) -> list[str]:
    """What a box that was started after a cut says of its stores, against what it had acknowledged."""
    wrong = [
        f"{path}: {rows}"
        for path, rows in guest.ask("sound", within=300)["sound"].items()
        if rows != [["ok"]]
    ]
    if ack:
        rows = guest.ask("ask", sql=_kept(ack), within=120)["rows"]
        wrong += _missing(ack, rows[0] if isinstance(rows, list) and rows else rows)
    return wrong


def data_part(disk: Path, to: Path) -> tuple[int, int]:
    """A disk's data partition as a file; the sector where it begins, and how many it has."""
    start = medium.ALIGNED + MACHINES["amd64"].first_mb + 2 * ROOT_MB
    to.unlink(missing_ok=True)
    words = ["dd", f"if={disk}", f"of={to}", "bs=1M", f"skip={start}", f"count={DATA_MB}"]
    subprocess.run([*words, "conv=sparse", "status=none"], check=True)
    with to.open("ab") as file:
        file.truncate(DATA_MB * medium.MB)
    return start * medium.MB // 512, DATA_MB * medium.MB // 512


def looked(part: Path, folder: Path, ack: dict) -> list[str]:
    """The same of a data partition that was not started: its journal is replayed by e2fsck, the stores are opened by SQLite here."""
    folder.mkdir(parents=True, exist_ok=True)
    checked = subprocess.run(["e2fsck", "-p", str(part)], capture_output=True, text=True, check=False)
    if checked.returncode > 1:
        return [f"the file system needs a person: {checked.stdout.strip()[-300:]}"]
    wrong = []
    for name in ("vitald.db", "box.db"):
        for end in ("", "-wal"):
            to = folder / f"{name}{end}"
            to.unlink(missing_ok=True)
            subprocess.run(
                ["debugfs", "-R", f"dump /over/var/lib/vitald/{name}{end} {to}", str(part)],
                capture_output=True,
                check=False,
            )
            if not to.exists() or (end and not to.stat().st_size):
                to.unlink(missing_ok=True)
        (folder / f"{name}-shm").unlink(missing_ok=True)
        if not (folder / name).exists():
            wrong.append(f"{name} is not there")
            continue
        db = sqlite3.connect(folder / name)
        try:
            found = db.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                wrong.append(f"{name}: {found[:3]}")
            if name == "vitald.db" and ack:
                wrong += _missing(ack, db.execute(_kept(ack)).fetchone())
        except sqlite3.DatabaseError as error:
            wrong.append(f"{name}: {error}")
        finally:
            db.close()
    return wrong


def _kept(ack: dict) -> str:
    return (
        f"SELECT (SELECT total(n) FROM chunks WHERE place <= {ack['place'] or 0}), "
        f"(SELECT count(*) FROM events WHERE id <= {ack['events'] or 0})"
    )


def _missing(ack: dict, kept) -> list[str]:
    if isinstance(kept, str) or kept is None:
        return [f"the store cannot be asked: {kept}"]
    wrong = []
    if kept[0] < (ack["samples"] or 0):
        wrong.append(f"{ack['samples']} samples were acknowledged, {kept[0]:.0f} are there")
    if kept[1] < (ack["rows"] or 0):
        wrong.append(f"{ack['rows']} events were acknowledged, {kept[1]} are there")
    return wrong
