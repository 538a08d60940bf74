"""A PostgreSQL of our own in a folder: made, started on a Unix socket, stopped. No port, no password, nobody else's data.

PostgreSQL does not run as root: there the user `postgres` runs it (Debian's package makes that user).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

USER = "postgres"


class NoPostgres(Exception):
    """PostgreSQL cannot be started; the text says why."""


def binaries() -> Path:
    """The folder of initdb and pg_ctl: on the path, or the newest of Debian's. Raises `NoPostgres`."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not versions:
        raise NoPostgres("PostgreSQL is not installed (Debian: postgresql)")
    return versions[-1].parent


class Cluster:
    """One server. `folder` must be reachable for the user that runs it; the files of an earlier run there are used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._bin = binaries()

    @property
    def dsn(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self._folder}"

    def start(self, *, durable: bool = False) -> None:
        """Make the cluster where there is none, and start it. `durable`: survive a power cut (slow). Raises `NoPostgres`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            try:
                owner = pwd.getpwnam(USER)
            except KeyError:
                raise NoPostgres(f"there is no user {USER} to run PostgreSQL as") from None
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        if not (self._data / "PG_VERSION").exists():
            self._run("initdb", "-D", self._data, "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder}"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-t", "30", "-o", options, "-l", self._folder / "log", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def _run(self, program: str, *arguments: object) -> str:
        """Run one of PostgreSQL's programs as the user it wants. Raises `NoPostgres` with its last words."""
        command = [str(self._bin / program), *(str(argument) for argument in arguments)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        # Output to a file: the server that pg_ctl leaves behind would hold a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
            )
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise NoPostgres(f"{program}: {said.strip()[-500:]}")
        return said


@contextlib.contextmanager
def private() -> Iterator[str]:
    """The DSN of a server of our own that is gone afterwards. Raises `NoPostgres`."""
    # Not below pytest's folders: another user must reach it, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="vitald-pg-"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        cluster.start()
        try:
            yield cluster.dsn
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
