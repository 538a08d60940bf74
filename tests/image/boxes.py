"""Images, bundles and disks for the trials under qemu, and what a box is looked at for. Made once, kept in the folder of the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "image")]

from disk import building, bundle, medium, tree  # noqa: E402
from disk.description import MACHINES, ROOT_MB  # noqa: E402

from tests.image.guest import Guest  # noqa: E402

VERSIONS = {"first": "1.0", "good": "2.0", "broken": "3.0"}
DATA_MB = 900
UNMADE_MB = 64
"""Of the data partition in an image as it is written; the first start makes it larger."""

CONFIGURATION = """[box]
name = "Trial"
[sound]
device = "null"
[beds.1]
name = "Bed 1"
[[beds.1.devices]]
label = "ecg"
kind = "dm_ecg"
port = "/run/trial-device/ttyECG0"
"""
CABLE = CONFIGURATION.replace("dm_ecg", "contec7").replace("/run/trial-device/ttyECG0", "/dev/ttyS2")
"""The same with a pulse oximeter at a serial port, played by this machine: the guest has enough to do."""

UNITS = {
    "trial-device.service": """[Service]
Type=exec
User=vitald
Group=vitald
RuntimeDirectory=trial-device
ExecStart=/usr/bin/vitald replay --as dm_ecg --port /run/trial-device/ttyECG0 patient
""",
    "trial-agent.service": """[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service systemd-journald.socket
[Service]
Type=exec
ExecStart=/usr/bin/python3.11 /var/trial/agent.py
""",
    # The page lets whoever comes by the loopback watch, as the screen of the box itself does.
    "trial-web.socket": "[Socket]\nListenStream=0.0.0.0:8090\n",
    "trial-web.service": "[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:8080\n",
}

WATCHED = ("vitald", "vitald-sound", "vitald-web", "vitald-worker", "vitald-forward")
SLOW = bool(os.environ.get("VITALD_IMAGE_SLOW"))
"""For a machine under load: an emulated daemon that gets no processor for 10 s is no daemon that stands still."""

SMALL = bool(os.environ.get("VITALD_IMAGE_SMALL"))
"""Whether small.py takes qemu's place where it can: everything but what needs a network."""

BOOT_S = 2400.0 if SLOW else 900.0

_PATIENT = "[Service]\nWatchdogSec=3min\nTimeoutStartSec=30min\n"
_LOOKING = "[Service]\nTimeoutStartSec=20min\nExecStart=\n"
_LOOKING += "ExecStart=/usr/lib/vitald/bin/python3 -Im daemon.appliance.health --config /etc/vitald/vitald.toml --within 900\n"
PATIENT = {f"{unit}.service": _PATIENT for unit in WATCHED} | {
    "vitald-health.service": _LOOKING,
    # The minimal machine's kernel has no real-time scheduling.
    "vitald-sound.service": f"{_PATIENT}CPUSchedulingPolicy=other\n",
    "vitald-candidate.timer": "[Timer]\nOnBootSec=\nOnBootSec=90min\n",
}
"""Drop-ins of a slow machine."""

Look = tuple[str, tuple[str, ...], Callable[[int, str], bool]]
"""What is looked at, the command for it, and what is well of its exit code and words."""

MACHINES_WATCHDOG = "the machine's watchdog is armed"
LOOKED: tuple[Look, ...] = (
    ("the root can be written", ("touch", "/usr/x"), lambda code, out: code != 0 and "Read-only" in out),
    (
        "no password",
        ("awk", "-F:", "$2 !~ /^[!*]/ {print $1}", "/etc/shadow"),
        lambda code, out: not code and not out.strip(),
    ),
    ("no one can sign in by password", ("sshd", "-T"), lambda code, out: "passwordauthentication no" in out),
    ("the clock is kept", ("systemctl", "is-active", "chrony"), lambda code, _: code == 0),
    (
        "the journal is on the disk",
        ("sh", "-c", "ls /data/over/var/log/journal/*/system.journal"),
        lambda code, _: code == 0,
    ),
    (
        "the journal has bounds",
        ("systemd-analyze", "cat-config", "systemd/journald.conf"),
        lambda _, out: "SystemMaxUse=200M" in out,
    ),
    (
        MACHINES_WATCHDOG,
        ("sh", "-c", "journalctl -b | grep -i 'hardware watchdog'; cat /sys/class/watchdog/watchdog0/state"),
        lambda _, out: out.strip().endswith("active") and "inactive" not in out,
    ),
    ("the machine has an id", ("cat", "/etc/machine-id"), lambda _, out: len(out.strip()) == 32),
    (
        "data are on the data partition",
        ("findmnt", "-no", "FSTYPE", "/data"),
        lambda _, out: out.strip() == "ext4",
    ),
)


def told(what: str, value: object) -> None:
    """A line for whoever reads the figures."""
    print(f"image: {what}: {value}", flush=True)


@contextmanager
def played(board: str, port: Path) -> Iterator[None]:
    """A simulated board at a port of this machine."""
    words = [
        sys.executable,
        "-m",
        "daemon.cli",
        "replay",
        "--as",
        board,
        "--loop",
        "--port",
        str(port),
        "patient",
    ]
    port.unlink(missing_ok=True)
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as player:
        try:
            assert player.stdout is not None
            player.stdout.readline()  # it says where the port is once it is there
            yield
        finally:
            player.terminate()


class Boxes:
    """`folder` has all: the tree, three roots, bundles, the disk that every trial begins with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work = folder / "work"
        self._machine = MACHINES["amd64"]

    def build(self, told) -> None:
        """What is not there yet. A folder of before is used as it is: take it away to begin anew."""
        os.environ.setdefault("SOURCE_DATE_EPOCH", "1750000000")
        self._work.mkdir(parents=True, exist_ok=True)
        root = self._work / "root-first.img"
        if not root.exists():
            began = time.monotonic()
            options = building._parser().parse_args(
                ["--version", VERSIONS["first"], "--to", str(self.folder)]
            )
            made = building.made_root(self._machine, options, self.folder, self._work, tree.FASTEST)
            made.rename(root)
            told("build: seconds of package, tree and root", round(time.monotonic() - began))
        told("build: MB of the read-only root", round(root.stat().st_size / 1e6))
        for name, change in (("good", _another_version), ("broken", _broken_version)):
            if not (self._work / f"root-{name}.img").exists():
                self._changed(name, change)
        self._bundles()

    def _changed(self, name: str, change: Callable[[Path], None]) -> None:
        """Another root: the same tree with something else in it."""
        other = self._work / f"tree-{name}"
        shutil.rmtree(other, ignore_errors=True)
        subprocess.run(["cp", "-al", str(self._work / "tree"), str(other)], check=True)
        change(other)
        tree.squashed(
            other, self._work / f"root-{name}.img", int(os.environ["SOURCE_DATE_EPOCH"]), tree.FASTEST
        )
        shutil.rmtree(other)

    def _bundles(self) -> None:
        if (self.folder / "stick.img").exists():
            return
        place = self._work / "stick"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        _, certificate, key = bundle.development_keys(self.folder / "keys")
        _, other, other_key = bundle.development_keys(self._work / "foreign", "foreign")
        for name, root, signer in (
            ("good", "good", (certificate, key)),
            ("broken", "broken", (certificate, key)),
            ("foreign", "good", (other, other_key)),
        ):
            image = self._work / f"root-{root}.img"
            bundle.bundled(
                self._machine,
                image,
                VERSIONS[root],
                place / f"{name}.raucb",
                certificate=signer[0],
                key=signer[1],
            )
        damaged = place / "damaged.raucb"
        shutil.copyfile(place / "good.raucb", damaged)
        with damaged.open("r+b") as file:
            file.seek(damaged.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        size = sum(file.stat().st_size for file in place.iterdir()) // 1_000_000 + 100
        medium.data_partition(self.folder / "stick.img", size, place)
        shutil.rmtree(place)

    def stick(self) -> Path:
        return self.folder / "stick.img"

    @contextmanager
    def machine(
        self,
        name: str,
        disk: Path,
        *,
        log: Path | None = None,
        web: int = 0,
        stick: Path | None = None,
        tpm: Path | None = None,
    ) -> Iterator[Guest]:
        """A disk in a machine that runs, its pulse oximeter played by this one. Only qemu has a network and a TPM (the socket of one)."""
        port, stick = self.folder / name / "port", stick or self.stick()
        port.parent.mkdir(exist_ok=True)
        with ExitStack() as open_:
            open_.enter_context(played("contec7", port))
            if SMALL and not web and tpm is None:
                from tests.image import small

                initrd = small.ram_disk(self._work / "tree", self._work / "small.gz")
                one: Guest = small.Small(
                    port.parent, disk, initrd, stick=stick, cable=port.resolve(), log=log
                )
            else:
                one = Guest(port.parent, disk, stick=stick, log=log, web=web, cable=port.resolve(), tpm=tpm)
            yield open_.enter_context(one)

    def fresh(self, name: str, configuration: str = CONFIGURATION) -> Path:
        """A disk that was never started, with a simulated device at its bed and an agent on its second serial port."""
        data = self._work / "data"
        shutil.rmtree(data, ignore_errors=True)
        lay(data / "over", configuration)
        made = medium.data_partition(self._work / "data.img", DATA_MB, data)
        first = medium.first_partition(self._machine, self._work / "first.img", self._work, made=True)
        listed = medium.parts(self._machine, first, self._work / "root-first.img", ROOT_MB, DATA_MB)
        listed[-1] = medium.Part("data", DATA_MB, "L", made)
        return medium.disk(self.folder / f"{name}.img", listed)

    def unmade(self, name: str, *, encrypted: bool = False) -> Path:
        """A disk as `./dev image` writes it, on a larger medium: its data partition is to be made. The root has what `fresh` has in data."""
        root = self._work / "root-agent.img"
        if not root.exists():
            self._changed("agent", lambda tree_: lay(tree_, CABLE))
        first = medium.first_partition(
            self._machine, self._work / "first.img", self._work, encrypted=encrypted
        )
        disk = medium.disk(
            self.folder / f"{name}.img", medium.parts(self._machine, first, root, ROOT_MB, UNMADE_MB)
        )
        with disk.open("ab") as file:
            file.truncate(disk.stat().st_size + DATA_MB * medium.MB)
        return disk


def lay(over: Path, configuration: str) -> None:
    """What a trial adds to a box, over its root or in it."""
    units = Path("etc/systemd/system")
    wants = [("sysinit.target", "trial-agent.service"), ("sockets.target", "trial-web.socket")]
    if configuration == CONFIGURATION:
        wants.append(("multi-user.target", "trial-device.service"))
    files = {units / unit: text for unit, text in UNITS.items()}
    files[Path("etc/vitald/vitald.toml")] = configuration
    files[Path("var/trial/agent.py")] = (HERE / "agent.py").read_text()
    if SLOW:
        # An emulated machine that shares its processors stands still for longer than a real one ever may.
        files[Path("etc/systemd/system.conf.d/90-trial.conf")] = (
            "[Manager]\nRuntimeWatchdogSec=90s\nDefaultTimeoutStartSec=30min\n"
        )
        fstab = (ROOT / "image/disk/laid/etc/fstab").read_text()
        files[Path("etc/fstab")] = re.sub(r"device-timeout=\w+", "device-timeout=10min", fstab)
        files |= {units / f"{unit}.d/slow.conf": text for unit, text in PATIENT.items()}
    for place, text in files.items():
        (over / place).parent.mkdir(parents=True, exist_ok=True)
        (over / place).unlink(missing_ok=True)
        (over / place).write_text(text)
        (over / place).chmod(0o644)
    for wanted_by, unit in wants:
        link = over / units / f"{wanted_by}.wants" / unit
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../{unit}")


def slot_b() -> tuple[int, int]:
    """Where slot B begins on the disk, and how long it is: bytes."""
    return (medium.ALIGNED + MACHINES["amd64"].first_mb + ROOT_MB) * medium.MB, ROOT_MB * medium.MB


def _another_version(tree_: Path) -> None:
    _put(tree_ / "usr/lib/vitald-image/version", f"{VERSIONS['good']}\n")


def _broken_version(tree_: Path) -> None:
    """Its daemon ends at once."""
    _put(tree_ / "usr/lib/vitald-image/version", f"{VERSIONS['broken']}\n")
    main = next((tree_ / "usr/lib/vitald/lib").glob("python3*/site-packages/daemon/main.py"))
    _put(main, 'raise RuntimeError("this version is broken")\n')
    for compiled in main.parent.glob("__pycache__/main.*"):
        compiled.unlink()


def _put(path: Path, text: str) -> None:
    """A file of its own in the place of one that is linked from another tree."""
    path.unlink()
    path.write_text(text)
