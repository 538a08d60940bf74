"""Runs in the guest, on its second serial port: does what the host asks, a line of JSON each way. Its Python alone, started once."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
import time
import tty
from pathlib import Path

STORE = "/var/lib/vitald/vitald.db"
PEOPLE = "/var/lib/vitald/box.db"
said = threading.Lock()


def say(out, /, **told):
    with said:
        os.write(out, (json.dumps(told) + "\n").encode())


def asked(sql, store=STORE):
    try:
        db = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()
    except sqlite3.Error as error:
        return str(error)


def boot():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def first_sample(within):
    """Seconds since the kernel's start at which a sample of this boot was seen in the store."""
    until = time.monotonic() + within
    sql = f"SELECT 1 FROM chunks WHERE arrived_ns > 0 AND EXISTS (SELECT 1 FROM boots WHERE boot = '{boot()}') LIMIT 1"
    newest = f"SELECT max(s.id) FROM segments s JOIN boots b ON s.boot = b.id WHERE b.boot = '{boot()}'"
    while time.monotonic() < until:
        found = asked(newest)
        if isinstance(found, list) and found and found[0][0] and asked(sql):
            return round(time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        time.sleep(0.5)
    return None


def acknowledge(out):
    """Every second, what a reader sees of both stores: it is committed, and was synced before it could be seen."""
    while True:
        found = asked(
            "SELECT (SELECT max(place) FROM chunks), (SELECT total(n) FROM chunks), max(id), count(*) FROM events"
        )
        if isinstance(found, list):
            say(out, ack=dict(zip(("place", "samples", "events", "rows"), found[0], strict=True)))
        time.sleep(1.0)


def sound():
    """What both stores say of themselves."""
    return {path: asked("PRAGMA integrity_check", path) for path in (STORE, PEOPLE)}


def done(out, asking):
    match asking["do"]:
        case "run":
            told = subprocess.run(
                asking["words"],
                capture_output=True,
                text=True,
                check=False,
                timeout=asking.get("within", 600),
                stdin=subprocess.DEVNULL,
            )
            return {"code": told.returncode, "out": (told.stdout + told.stderr)[-6000:]}
        case "start":
            subprocess.Popen(asking["words"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return {}
        case "ask":
            return {"rows": asked(asking["sql"])}
        case "first":
            return {"up_s": first_sample(asking["within"])}
        case "acks":
            threading.Thread(target=acknowledge, args=(out,), daemon=True).start()
            return {}
        case "sound":
            return {"sound": sound()}
    return {"up_s": round(time.clock_gettime(time.CLOCK_BOOTTIME), 1)}


def main():
    port = os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port)
    say(port, hello=True, up_s=round(time.clock_gettime(time.CLOCK_BOOTTIME), 1))
    left = b""
    while True:
        left += os.read(port, 4096)
        while b"\n" in left:
            line, left = left.split(b"\n", 1)
            try:
                asking = json.loads(line)
                told = done(port, asking)
                say(port, to=asking["id"], **told)
            except Exception as error:  # noqa: BLE001 - the host must hear of it
                say(port, to=-1, error=repr(error))


if __name__ == "__main__":
    main()
