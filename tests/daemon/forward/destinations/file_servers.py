"""The cases whose servers keep files behind a login: sshd, pyftpdlib."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.daemon.forward.destinations.cases import Kept, copied, tree
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.destinations.processes import free_port, missing, served
from tests.daemon.forward.faults_proxy import FaultsProxy

HERE = Path(__file__).parent


class SftpCase(Kept):
    """OpenSSH's own server; as root or as anybody."""

    kind = "sftp"
    answers = False
    in_parts = True

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin") or missing(
            "openssh-server"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(
                mode=0o755, exist_ok=True
            )  # where it locks itself in; its package's service makes it
        self.port = free_port()
        self.there = folder / "there"
        self.there.mkdir()
        for name in ("host", "other_host", "user", "other_user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
            subprocess.run(command, check=True)
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile {folder / 'pid'}\n"
            f"AuthorizedKeysFile {folder / 'user.pub'}\nPasswordAuthentication no\n"
            "UsePAM no\nStrictModes no\nSubsystem sftp internal-sftp\n"
        )
        stack.enter_context(served([program, "-D", "-e", "-f", folder / "sshd_config"], self.port, folder))

    def known_hosts(self, port: int, name: str = "host") -> str:
        kind, key, _ = (self.folder / f"{name}.pub").read_text().split()
        return f"[127.0.0.1]:{port} {kind} {key}\n"

    def options(self, port: int) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": port,
            "user": getpass.getuser(),
            "known_hosts": self.known_hosts(port),
            "key_file": "ssh-key",
            "folder": str(self.there),
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        copied(self.folder / ("other_user" if wrong else "user"), folder / "ssh-key")
        return (folder / "ssh-key").read_text().splitlines()[1:3]

    def files(self) -> dict[str, bytes]:
        return tree(self.there)


class FtpCase(Kept):
    """pyftpdlib with TLS."""

    kind = "ftp"
    answers = False
    in_parts = True
    python = "/usr/bin/python3"  # Debian's package; the tests' own environment has none of it

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        have = subprocess.run(
            [self.python, "-W", "ignore", "-c", "import pyftpdlib, OpenSSL"], capture_output=True, check=False
        )
        if have.returncode != 0:
            missing("python3-pyftpdlib with python3-openssl")
        self.port = free_port()
        self.there = folder / "there"
        self.there.mkdir()
        self.authority = Authority(folder, "ca")
        pair = self.authority.pair("server", hosts=("localhost", "127.0.0.1"))
        pem = folder / "server.pem"
        pem.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
        command = [self.python, "-W", "ignore", HERE / "ftp_server.py", str(self.port), self.there, pem]
        self.process = stack.enter_context(served([*command, "box", "ftp secret word"], self.port, folder))

    def options(self, port: int) -> dict[str, Any]:
        return {"host": "localhost", "port": port, "user": "box", "password_file": "ftp", "ca_file": "ca.crt"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        secret = "not the word" if wrong else "ftp secret word"
        (folder / "ftp").write_text(secret)
        copied(self.authority.file, folder / "ca.crt")
        return [secret]

    def files(self) -> dict[str, bytes]:
        return tree(self.there)

    @asynccontextmanager
    async def cutting(self, proxy: FaultsProxy) -> AsyncIterator[None]:
        """Data has a connection of its own, past the proxy: the line of commands is cut while the file is half there."""

        async def cut() -> None:
            while not any(self.there.rglob("*.part")):
                await asyncio.sleep(0.01)
            await proxy.stop()

        self.process.send_signal(signal.SIGUSR1)
        cutter = asyncio.create_task(cut())
        yield
        await cutter
        self.process.send_signal(signal.SIGUSR2)
        await proxy.start()
