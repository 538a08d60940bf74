"""The image's tree in a container, at this machine's own speed: which slot is kept, and which is left, by the units themselves.

What a container cannot show is the boot loader and RAUC's writing (no device mapper): that is tests/image/image.py's, under qemu.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from daemon.appliance import slots
from tests.image.boxes import CONFIGURATION, UNITS

WITHIN_S = 600.0
RESTARTS = 133
"""systemd-nspawn's exit code where the container asks to be started anew."""

CHOSEN = """[Unit]
DefaultDependencies=no
Before=sysinit.target vitald-slot.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mount --bind /trial/cmdline /proc/cmdline; mount --bind /trial/efi /efi'
"""
LOOKING = """[Unit]
After=vitald-slot.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'sleep 5; systemctl is-active vitald vitald-sound vitald-web vitald-worker vitald-forward vitald-health vitald-slot chrony ssh; \
 vitald update status; journalctl -u vitald-slot -u vitald-return -o cat; cat /var/lib/vitald/update.json'
ExecStart=-/usr/bin/systemctl poweroff
StandardOutput=append:/trial/out
StandardError=append:/trial/out
"""


class Contained:
    """A box made of the tree, laid under a folder that takes what it writes. `states` and `cmdline` are what a boot loader would leave."""

    def __init__(
        self, tree: Path, folder: Path, states: slots.States, cmdline: str, *, broken: bool = False
    ) -> None:
        self.folder = folder
        self._merged, self._trial = folder / "merged", folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        upper = folder / "upper"
        units = upper / "etc/systemd/system"
        for place in (
            folder / "work",
            self._merged,
            self._trial / "efi",
            units / "sysinit.target.wants",
            units / "multi-user.target.wants",
        ):
            place.mkdir(parents=True)
        texts = {
            "trial-device.service": UNITS["trial-device.service"],
            "chosen.service": CHOSEN,
            "looking.service": LOOKING,
        }
        for name, text in texts.items():
            (units / name).write_text(text)
        (units / "sysinit.target.wants/chosen.service").symlink_to("../chosen.service")
        for name in ("trial-device.service", "looking.service"):
            (units / "multi-user.target.wants" / name).symlink_to(f"../{name}")
        (upper / "etc/vitald").mkdir()
        (upper / "etc/vitald/vitald.toml").write_text(CONFIGURATION)
        (upper / "etc/fstab").write_text("")
        if broken:
            main = next(
                (tree / "usr/lib/vitald/lib").glob("python3*/site-packages/daemon/main.py")
            ).relative_to(tree)
            (upper / main.parent / "__pycache__").mkdir(parents=True)
            (upper / main).write_text('raise RuntimeError("this version is broken")\n')
            for compiled in (tree / main.parent / "__pycache__").glob("main.*"):
                compiled_as = upper / main.parent / "__pycache__" / compiled.name
                subprocess.run(
                    ["mknod", str(compiled_as), "c", "0", "0"], check=True
                )  # not there, in an overlay's words
        data = upper / "var/lib/vitald"
        slots.write(states, self._trial / "efi")
        (self._trial / "cmdline").write_text(f"{cmdline}\n")
        options = f"lowerdir={tree},upperdir={upper},workdir={folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self._merged)], check=True)
        owner = next(
            line for line in (tree / "etc/passwd").read_text().splitlines() if line.startswith("vitald:")
        ).split(":")
        kept = self._merged / data.relative_to(upper) / "update.json"
        kept.write_text(
            json.dumps(
                {"slot": "B", "before": "1.0", "to": "2.0", "streaming": ["1/ecg"], "installed_at": "before"}
            )
        )
        shutil.chown(kept, int(owner[2]), int(owner[3]))

    def start(self) -> int:
        """Until it is switched off, or asks to be started anew; systemd-nspawn's exit code."""
        words = [
            "systemd-nspawn",
            "-q",
            "-D",
            str(self._merged),
            "--register=no",
            "--keep-unit",
            "--private-network",
        ]
        try:
            return subprocess.run(
                [*words, f"--bind={self._trial}:/trial", "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=(self.folder / "console").open("w"),
                stderr=subprocess.STDOUT,
                timeout=WITHIN_S,
                check=False,
            ).returncode
        finally:
            subprocess.run(["umount", "-l", str(self._merged)], check=False)

    def said(self) -> str:
        out = self._trial / "out"
        return (
            out.read_text() if out.exists() else (self.folder / "console").read_text(errors="replace")[-1500:]
        )

    def states(self) -> slots.States:
        return slots.read(self._trial / "efi")

    def last(self) -> dict:
        return json.loads((self.folder / "upper/var/lib/vitald/update.json").read_text())


TRIED = slots.States(("B", "A"), slots.Slot("good", 3), slots.Slot("new", 0))
"""As GRUB leaves it when it has started a new slot B."""


def kept(tree: Path, folder: Path) -> list[str]:
    """A new slot in which all is as before is good from then on."""
    box = Contained(tree, folder, TRIED, "root=PARTLABEL=rootB rauc.slot=B vitald.state=new")
    code = box.start()
    well = code == 0 and box.states().b == slots.Slot("good", 3) and "kept_at" in box.last()
    return (
        []
        if well
        else [f"a slot that is well is not kept ({code}): {box.states()} {box.last()}\n{box.said()}"]
    )


def left(tree: Path, folder: Path) -> list[str]:
    """A new slot whose daemon does not start: the box asks to be started anew, the slot stays without a try."""
    box = Contained(tree, folder, TRIED, "root=PARTLABEL=rootB rauc.slot=B vitald.state=new", broken=True)
    code = box.start()
    well = (
        code == RESTARTS
        and box.states() == TRIED
        and "failed" in box.last()
        and box.states().primary() == "A"
    )
    return [] if well else [f"a broken slot is not left ({code}): {box.states()} {box.last()}\n{box.said()}"]


def stayed(tree: Path, folder: Path) -> list[str]:
    """The same in a slot that was good before: it is not left."""
    good = slots.States(("A", "B"), slots.Slot("good", 2), slots.Slot("bad", 0))
    box = Contained(tree, folder, good, "rauc.slot=A vitald.state=good", broken=True)
    code = box.start()
    well = code == 0 and box.states() == good
    return [] if well else [f"a good slot was left ({code}): {box.states()}\n{box.said()}"]


def back(tree: Path, folder: Path) -> list[str]:
    """The slot of before, after a new one was left: it is good, the other one bad, and the return is told."""
    box = Contained(tree, folder, TRIED, "rauc.slot=A vitald.state=good")
    code = box.start()
    wanted = slots.States(("A", "B"), slots.Slot("good", 3), slots.Slot("bad", 0))
    well = code == 0 and box.states() == wanted and "returned_at" in box.last()
    return [] if well else [f"the return is not told ({code}): {box.states()} {box.last()}\n{box.said()}"]


TRIALS = (kept, left, stayed, back)
