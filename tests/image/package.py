"""The Debian package in fresh roots of Debian 12 and 13: installed, looked at, upgraded from the version before, removed, purged."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from pathlib import Path

from tests.image import trees
from tests.image.builder import build

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "0.0.1"
"""The version before, made of the same sources: its number is all that it differs in."""

INSIDE_S = 1800.0
INSIDE = ("inside", "asking", "probe", "setting_up")
"""What runs within the root."""

STICK = {
    "vitald-setup.toml": """[box]
name = "Trial of the stick"
[web]
host = "10.9.0.1"
[credentials]
cloud-key = "credentials/cloud-key"
[[people]]
full_name = "Anna Admin"
role = "admin"
code = "abcd-efgh-jkmn-pqrs"
[[people]]
full_name = "Nora Nurse"
role = "nurse"
code = "bcde-fghj-kmnp-qrst"
""",
    "credentials/cloud-key": "of the stick",
}

ELF = {"amd64": 62, "arm64": 183}
"""Numbers of processors in a library's head (elf(5), e_machine)."""


def run(suites: list[str]) -> list[str]:
    """What is not met. Prints figures as it goes."""
    folder = Path(os.environ.get("VITALD_IMAGE_TEST", ROOT / "var/image-test"))
    folder.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    build.ROOT = _as_now(folder / "sources")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    for suite in suites or list(build.RELEASES):
        began = time.monotonic()
        new = build.build(suite, architecture, build.own_version(), folder / "one", folder / "work")
        told(suite, "seconds to build the package", time.monotonic() - began)
        again = build.build(suite, architecture, build.own_version(), folder / "two", folder / "work")
        if new.read_bytes() != again.read_bytes():
            wrong.append(f"{suite}: two builds give different bytes")
        told(suite, "megabytes of the package", new.stat().st_size / 1e6)
        wrong += [f"{suite}: {line}" for line in foreign(suite, architecture, folder)]
        old = build.build(suite, architecture, BEFORE, folder / "one", folder / "work")
        wrong += [f"{suite}: {line}" for line in trial(suite, build.RELEASES[suite].python, folder, old, new)]
    return wrong


def _as_now(to: Path) -> Path:
    """The sources as they are now: two builds are compared, and somebody may be working on them."""
    shutil.rmtree(to, ignore_errors=True)
    for name in (*build.OWN, "docs", "systemd", "requirements"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(ROOT / "CHANGELOG.md", to)
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(build.epoch()))
    return to


def foreign(suite: str, own: str, folder: Path) -> list[str]:
    """The package for the other processor: every library in it must be of that one."""
    other = next(name for name in build.MACHINES if name != own)
    build.build(suite, other, build.own_version(), folder / "one", folder / "work")
    tree = folder / f"work/{suite}-{other}/tree"
    heads = [file.read_bytes()[:20] for file in tree.rglob("*.so*") if file.is_file()]
    libraries = [head for head in heads if head.startswith(b"\x7fELF")]
    machines = {int.from_bytes(head[18:20], "little") for head in libraries}
    told(suite, f"libraries in the package for {other}", len(libraries))
    return [] if machines == {ELF[other]} else [f"libraries for {machines} in the package for {other}"]


def trial(suite: str, python: str, folder: Path, old: Path, new: Path) -> list[str]:
    """One root, from its first start to the purge."""
    root = trees.fresh(suite, folder)
    (root / "trial").mkdir()
    here = Path(__file__)
    for file in (*(here.with_name(f"{name}.py") for name in INSIDE), old, new):
        shutil.copy(file, root / "trial")
    # The installation is what a technician does; what it needs from the mirror is fetched before, and not counted.
    install = f"""export DEBIAN_FRONTEND=noninteractive
systemctl is-system-running --wait
began=$(date +%s%N)
apt-get install -y -qq /trial/{old.name}
echo '{{"figure": "seconds of the installation", "value": '$(( ($(date +%s%N) - began) / 100000000 ))'e-1}}' >> /trial/found
python{python} /trial/inside.py first /trial/{new.name} || echo '{{"check": "looking", "well": false, "detail": "see /trial/out"}}' >> /trial/found"""
    trees.fetch(root, f"/trial/{old.name}")
    with trees.stick(folder / f"{suite}.stick", STICK) as device:
        trees.boot(root, install, within_s=INSIDE_S, stick=device)
    trees.boot(
        root,
        f"export DEBIAN_FRONTEND=noninteractive\npython{python} /trial/inside.py second"
        """ || echo '{"check": "looking", "well": false, "detail": "see /trial/out"}' >> /trial/found""",
        within_s=INSIDE_S,
        early=True,
    )
    return judged(suite, root)


def judged(suite: str, root: Path) -> list[str]:
    found = [json.loads(line) for line in (root / "trial/found").read_text().splitlines()]
    for one in found:
        if "figure" in one:
            told(suite, one["figure"], one["value"])
    checks = [one for one in found if "check" in one]
    print(f"{suite}: {sum(one['well'] for one in checks)} of {len(checks)} checks hold", flush=True)
    wrong = [f"{one['check']}: {one['detail']}" for one in checks if not one["well"]]
    if not any("purging" in one["check"] for one in checks):
        wrong.append(f"the trial did not come to its end: {(root / 'trial/out').read_text()[-2000:]}")
    return wrong


def told(suite: str, what: str, value: float) -> None:
    print(f"{suite}: {what}: {value:.1f}", flush=True)
