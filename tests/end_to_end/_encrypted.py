"""A whole box that other machines reach by TLS, on the loopback alone: of its addresses one is the box's own screen, the rest the network."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import uuid
from pathlib import Path

from benchmarks._box import Box
from daemon.control.client import NotAnswering
from daemon.control.people import PeopleClient, PersonAct

PASSWORD = "four words in a row"
WEB = (
    "import sys; from webui import signed; signed.at_bedside = lambda address: address == sys.argv[2]; "
    "from daemon.cli import main; sys.exit(main(['web', '--config', sys.argv[1]]))"
)


class EncryptedBox(Box):
    """A box whose pages other machines reach by TLS; `own_screen` is the address of the loopback that counts as the box's own."""

    def __init__(self, folder: Path, own_screen: str) -> None:
        super().__init__(folder)
        self._own_screen = own_screen
        text = self.config.read_text(encoding="utf-8")
        web = '[web]\nhost = "0.0.0.0"\ntls_port = 0\nnames = ["127.0.0.1"]\n'
        self.config.write_text(text.replace("[web]\n", web), encoding="utf-8")
        self.encrypted = ""

    @property
    def trusts(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "data-cert" / "trust.crt"))

    def start_web(self) -> None:
        command = [sys.executable, "-m", "daemon.cli", "cert", "renew", "--config", str(self.config)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with (self.folder / "web.log").open("a", encoding="utf-8") as log:
            command = [sys.executable, "-u", "-c", WEB, str(self.config), self._own_screen]
            self.processes["web"] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url, self.encrypted = (
            self._line("web").split(": ", 1)[1].strip().replace("0.0.0.0", "127.0.0.1") for _ in range(2)
        )


async def add_people(box: Box, roles: dict[str, str]) -> None:
    """As soon as the daemon answers."""
    async with PeopleClient(box.folder / "run" / "control.sock") as client:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(NotAnswering):
                    await client.setup()
                    break
                await asyncio.sleep(0.2)
        for name, role in roles.items():
            act = PersonAct(
                id=str(uuid.uuid4()), verb="add", values={"full_name": name}, role=role, password=PASSWORD,
                keeps=True,
            )  # fmt: skip
            assert (await client.person(act)).acted
