"""What a unit's sandbox lets through: run in the place of its process, in all else like it. Prints a JSON object of attempts.

It is given the libraries that the process imports, since MemoryDenyWriteExecute= and seccomp are what breaks them.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import os
import socket
import sys
from pathlib import Path

LIBRARIES = (
    "numpy aiosqlite boto3 obstore.store aiohttp aiomqtt aioftp asyncssh cryptography.x509 argon2 bcrypt fpdf uharfbuzz pydicom "
    "backports.zstd edfio jinja2 prometheus_client pydantic_settings serial"
)


def tried(attempt) -> str:
    """ "done", or the errno's name."""
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "done"


def write(path: str) -> None:
    Path(path).write_bytes(b"x")


def call_out() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2):
        pass


def executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))


def namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000):  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "unshare")


def main() -> None:
    attempts = {
        "write /usr": lambda: write("/usr/trial"),
        "write /etc": lambda: write("/etc/trial"),
        "write the store": lambda: write(f"/var/lib/vitald/trial-{os.getuid()}"),
        "write reports": lambda: write(f"/var/lib/vitald/reports/trial-{os.getuid()}"),
        "read secrets": lambda: Path("/etc/vitald/credentials/token").read_bytes(),
        "read shadow": lambda: Path("/etc/shadow").read_bytes(),
        "read a home": lambda: list(Path("/root").iterdir()),
        "speak to the daemon": lambda: socket.socket(socket.AF_UNIX).connect("/run/vitald/control.sock"),
        "speak to the sound": lambda: socket.socket(socket.AF_UNIX).connect("/run/vitald-sound/sound.sock"),
        "call out": call_out,
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "kernel log": lambda: os.open("/dev/kmsg", os.O_RDONLY),
        "memory that is written and run": executable_memory,
        "real time": real_time,
        "user namespace": namespace,
        "another's processes": lambda: Path("/proc/1").stat(),
    }
    found = {name: tried(attempt) for name, attempt in attempts.items()}
    for name in LIBRARIES.split():
        importlib.import_module(name)
    import boto3

    boto3.client("s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    print("PROBE " + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
