"""The parts of the image that need neither root nor a virtual machine: the boot loader's script, the disk's table, the model of power cuts."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from daemon.appliance import slots
from tests.image import choice, cuts, small

IMAGE = Path(__file__).resolve().parents[2] / "image"
sys.path.append(str(IMAGE))

from disk import bundle, description, medium, tree  # noqa: E402

needs = pytest.mark.skipif


@needs(not shutil.which("grub-script-check"), reason="needs grub-common")
@pytest.mark.parametrize("name", ["slots.cfg", "embed.cfg"])
def test_the_boot_loader_can_read_its_script(name):
    done = subprocess.run(
        ["grub-script-check", IMAGE / "disk/amd64" / name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_reads_and_writes_what_the_states_are_kept_as():
    text = (IMAGE / "disk/amd64/slots.cfg").read_text()
    kept = [
        line.split("=")[0] for line in slots.block(slots.States()).decode().splitlines()[1:] if "=" in line
    ]
    for line in text.splitlines():
        if "load_env" in line or "save_env" in line:
            assert line.split('--file "$states" ')[1].split(";")[0].split() == kept
    assert all(f"($esp)/{name}" in text for name in slots.COPIES)
    assert "vitald.state=$2" in text
    assert "rauc.slot=$1" in text


@pytest.mark.parametrize(
    "script",
    ["laid/etc/initramfs-tools/scripts/local-bottom/vitald", "laid/etc/initramfs-tools/hooks/vitald"],
)
def test_the_shell_can_read_the_scripts_of_the_initial_disk(script):
    assert subprocess.run(["sh", "-n", IMAGE / "disk" / script], check=False).returncode == 0


def test_what_rauc_writes_is_what_the_disk_has():
    text = (IMAGE / "disk/laid/etc/rauc/system.conf").read_text()
    for name in slots.SLOTS:
        assert f"device=/dev/disk/by-partlabel/root{name}\ntype=raw\nbootname={name}\n" in text
    assert "bundle-formats=verity" in text
    assert "use-bundle-signing-time=true" in text


def test_no_key_and_no_password_is_in_the_tree():
    files = [file for file in (IMAGE / "disk").rglob("*") if file.is_file()]
    assert not [
        file for file in files if file.suffix in {".key", ".pem", ".crt"} or file.name == "authorized_keys"
    ]
    assert not [file for file in files if "PRIVATE KEY" in file.read_text(errors="replace")]


def test_nothing_that_runs_at_a_bed_is_in_two_lists():
    for machine in description.MACHINES.values():
        listed = [*description.COMMON, *description.KIOSK, *machine.packages]
        assert len(listed) == len(set(listed))


@needs(not all(map(shutil.which, ("sfdisk", "mkfs.vfat", "mcopy"))), reason="needs fdisk, dosfstools, mtools")
def test_the_disk_has_the_partitions_that_the_boot_loader_counts_on(tmp_path):
    (tmp_path / "root").write_bytes(b"hsqs" + b"\1" * 4096)
    folder = tmp_path / "first"
    folder.mkdir()
    slots.write(slots.States(), folder)
    first = medium.fat(folder, tmp_path / "first.img", 8, "VITALDESP")
    again = medium.fat(folder, tmp_path / "again.img", 8, "VITALDESP")
    assert first.read_bytes() == again.read_bytes()
    machine = description.MACHINES["amd64"]
    made = medium.disk(tmp_path / "disk.img", medium.parts(machine, first, tmp_path / "root", 2, 3))
    told = subprocess.run(["sfdisk", "--dump", made], capture_output=True, text=True, check=True).stdout
    names = [line.split('name="')[1].split('"')[0] for line in told.splitlines() if "name=" in line]
    assert names == ["esp", "rootA", "rootB", "data"], "slots.cfg has A in gpt2 and B in gpt3"
    start = (medium.ALIGNED + machine.first_mb) * description.MB
    with made.open("rb") as file:
        file.seek(start)
        assert file.read(4) == b"hsqs"
    with pytest.raises(ValueError, match="does not fit"):
        medium.disk(tmp_path / "disk.img", [medium.Part("rootA", 0, "L", tmp_path / "root")])


@needs(not shutil.which("openssl"), reason="needs openssl")
def test_development_keys_are_made_once_and_sign_as_rauc_asks(tmp_path):
    root, leaf, key = bundle.development_keys(tmp_path)
    text = leaf.read_bytes() + key.read_bytes()
    assert bundle.development_keys(tmp_path) == (root, leaf, key)
    assert leaf.read_bytes() + key.read_bytes() == text
    done = subprocess.run(
        ["openssl", "verify", "-purpose", "smimesign", "-CAfile", root, leaf],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_traces_of_the_building_are_taken_away(tmp_path):
    for name in (
        "etc/ssh/ssh_host_rsa_key",
        "etc/machine-id",
        "var/log/dpkg.log",
        "boot/vmlinuz-6.1",
        "boot/initrd.img-6.1",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "etc/resolv.conf").symlink_to("/nowhere")
    tree._settle(tmp_path)
    assert not (tmp_path / "etc/ssh/ssh_host_rsa_key").exists()
    assert (tmp_path / "etc/machine-id").read_text() == ""
    assert (tmp_path / "boot/vmlinuz").resolve().name == "vmlinuz-6.1"


# --- the model of power cuts ------------------------------------------------------------------------------------


def logged(path, listed):
    """A log as qemu writes it: (sector, data, flags)."""
    out = struct.pack("<QQQI", cuts.MAGIC, 1, len(listed), cuts.SECTOR).ljust(512, b"\0")
    for sector, data, flags in listed:
        out += struct.pack("<QQQQ", sector, len(data) // 512, flags, 0).ljust(512, b"\0") + data
    path.write_bytes(out)
    return cuts.entries(path)


def sector(letter, count=1):
    return letter.encode() * 512 * count


@pytest.fixture
def cutting(tmp_path):
    base = tmp_path / "base.img"
    base.write_bytes(sector(".", 8))
    log = tmp_path / "log"
    listed = logged(
        log,
        [
            (0, sector("a"), 0),
            (0, b"", cuts.FLUSH),
            (1, sector("b", 4), 0),
            (6, sector("f"), cuts.FUA),
            (7, sector("c"), 0),
        ],
    )

    def cut(place, seed=0, lies=0):
        cuts.cut(base, log, listed, place, Random(seed), tmp_path / "cut.img", lies=lies)
        return (tmp_path / "cut.img").read_bytes()

    return listed, cut


def test_what_was_flushed_or_forced_through_is_there_after_every_cut(cutting):
    listed, cut = cutting
    assert cut(0) == sector(".", 8)
    for seed in range(40):
        after = cut(len(listed), seed)
        assert after[:512] == sector("a")
        assert after[6 * 512 : 7 * 512] == sector("f")


def test_what_was_not_flushed_is_there_or_not_or_in_part(cutting):
    listed, cut = cutting
    found = {cut(len(listed), seed)[512 : 5 * 512] for seed in range(200)}
    assert sector(".", 4) in found
    assert sector("b", 4) in found
    assert any(sector("b") in one and sector(".") in one for one in found), "a write may be cut in its middle"


def test_a_disk_that_lies_loses_what_it_was_asked_to_keep(cutting):
    """The control of the power cuts: flushed and forced through, and still not there."""
    listed, cut = cutting
    found = [cut(len(listed), seed, lies=4) for seed in range(40)]
    assert {one[:512] for one in found} == {sector("a"), sector(".")}
    assert {one[6 * 512 : 7 * 512] for one in found} == {sector("f"), sector(".")}


def test_a_log_that_was_cut_off_itself_has_its_whole_entries(tmp_path):
    log = tmp_path / "log"
    listed = logged(log, [(0, sector("a"), 0), (1, sector("b", 4), 0)])
    log.write_bytes(log.read_bytes()[:-600])
    assert cuts.entries(log) == listed[:1]


def test_only_what_the_host_had_heard_before_the_cut_counts_as_acknowledged(tmp_path):
    listed = logged(tmp_path / "log", [(i, sector("x"), 0) for i in range(8)])
    acks = [(0, {"n": 0}), (listed[2].end, {"n": 1}), (listed[5].end, {"n": 2})]
    assert cuts.acknowledged(acks, listed, 0) == {"n": 0}
    assert cuts.acknowledged(acks, listed, 3) == {"n": 1}
    assert cuts.acknowledged(acks, listed, 5) == {"n": 1}
    assert cuts.acknowledged(acks, listed, 6) == {"n": 2}


def test_the_writes_of_a_partition_are_counted_from_its_beginning(tmp_path):
    log = tmp_path / "log"
    listed = logged(
        log, [(0, sector("e"), 0), (4, sector("a"), 0), (0, b"", cuts.FLUSH), (6, sector("x"), 0)]
    )
    base = tmp_path / "part.img"
    base.write_bytes(sector(".", 2))
    within = cuts.within(listed, 4, 2)
    assert [(one.sector, one.flags) for one in within] == [(0, 0), (0, cuts.FLUSH)]
    cuts.cut(base, log, within, len(within), Random(0), tmp_path / "cut.img")
    assert (tmp_path / "cut.img").read_bytes() == sector("a") + sector(".")


# --- the boot loader's part in the minimal machine --------------------------------------------------------------


@needs(not shutil.which("mshowfat") or not shutil.which("mkfs.vfat"), reason="needs mtools, dosfstools")
@pytest.mark.parametrize("case", choice.CASES)
def test_the_minimal_machine_takes_the_slot_that_the_boot_loader_takes(case, tmp_path, monkeypatch):
    states, folder = choice.CASES[case], tmp_path / "first"
    folder.mkdir()
    for number, name in enumerate(slots.COPIES):
        whole = states is not None and not (number == 0 and "one copy" in case)
        data = slots.block(states or slots.States())
        (folder / name).write_bytes(data if whole else b"\0" * 100 + data[100:])
    part = medium.fat(folder, tmp_path / "first.img", 16, "TRIAL")
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"\0" * small.ESP + part.read_bytes())
    monkeypatch.setattr(small, "kernel_is_read", lambda *_: True)
    wanted = choice.wanted(states)[0]

    def write(place, block):
        with disk.open("r+b") as file:
            file.seek(place)
            file.write(block)

    assert small.chosen(disk, write) == wanted
    if states is not None:
        kept = [disk.read_bytes()[at : at + 512] for at in small.copies(disk)]
        after = slots.parsed(kept[1 if "one copy" in case else 0])
        taken = 1 if wanted[1] != "spent" else 0
        assert after[wanted[0]].left == states[wanted[0]].left - taken
