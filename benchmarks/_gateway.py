"""ThingsBoard Gateway's SQLite storage, driven alone as its own loop drives it; run by the Python that it is installed in.

python _gateway.py write FOLDER       says records until it is killed; FOLDER/marks has the number of each that was accepted
python _gateway.py read FOLDER        prints the numbers of all records that the storage gives back
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from threading import Event

from thingsboard_gateway.storage.sqlite.sqlite_event_storage import SQLiteEventStorage

EVERY_S = 0.001


class Log(logging.Logger):
    """The gateway's own loggers have one more level."""

    def trace(self, *said: object) -> None:
        """Nobody listens."""


def main(what: str, folder: str) -> None:
    data = Path(folder) / "gateway"
    data.mkdir(exist_ok=True)
    storage = SQLiteEventStorage({"data_file_path": f"{data}/"}, Log("gateway"), Event())
    if what == "write":
        _write(storage, Path(folder) / "marks")
    else:
        _read(storage)
    os._exit(0)  # its threads do not end by themselves


def _write(storage: SQLiteEventStorage, path: Path) -> None:
    marks = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    n = 0
    while True:
        record = {
            "deviceName": "ECG-7711-0045",
            "telemetry": [{"ts": n, "values": {"heart_rate": 60 + n % 40}}],
            "n": n,
        }
        if storage.put(json.dumps(record)):
            os.write(marks, b"%d\n" % n)
        n += 1
        time.sleep(EVERY_S)


def _read(storage: SQLiteEventStorage) -> None:
    empty = 0
    while empty < 5:
        pack = storage.get_event_pack()
        for event in pack:
            print(json.loads(event)["n"])
        if pack:
            storage.event_pack_processing_done()
        empty = 0 if pack else empty + 1
        time.sleep(0.0 if pack else 0.2)
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
