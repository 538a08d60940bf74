"""What an image is made of: the one description for both kinds of machine, and how they differ."""

from __future__ import annotations

from dataclasses import dataclass

SUITE = "bookworm"

MB = 1024 * 1024

COMMON = (
    "systemd-sysv",
    "systemd-resolved",
    "udev",
    "dbus",
    "kmod",
    "initramfs-tools",
    "zstd",
    "busybox",
    "iproute2",
    "login",
    "passwd",
    "openssh-server",
    "chrony",
    "rauc",
    "rauc-service",
    "cryptsetup-bin",
    "libtss2-esys-3.0.2-0",
    "libtss2-rc0",
    "libtss2-tcti-device0",
    "fdisk",
    "e2fsprogs",
    "dosfstools",
    "squashfs-tools",
    "alsa-utils",
    "ca-certificates",
    "bash-completion",
    "less",
)
"""Debian packages of every box, beside vitald's own and what it depends on."""

KIOSK = ("cage", "chromium", "fonts-liberation", "libgl1-mesa-dri", "seatd")
"""A bedside screen of the box itself."""

FIRMWARE = ("raspi-firmware",)
"""What a Raspberry Pi starts with; not in Debian's main component."""

_MODULES = [
    "drivers/media",
    "drivers/infiniband",
    "drivers/isdn",
    "drivers/staging",
    "drivers/iio",
    "drivers/comedi",
    "drivers/mtd",
    "drivers/target",
    "drivers/vfio",
    "drivers/xen",
    "drivers/scsi/*",
    "drivers/net/ethernet/mellanox",
    "drivers/net/ethernet/chelsio",
    "drivers/net/ethernet/qlogic",
    "drivers/net/ethernet/netronome",
    "drivers/net/ethernet/cavium",
    "drivers/net/ethernet/sfc",
    "drivers/net/can",
    "drivers/net/hamradio",
    "drivers/net/wan",
    "fs/btrfs",
    "fs/ocfs2",
    "fs/xfs",
    "fs/nfs",
    "fs/nfsd",
    "fs/smb",
    "fs/cifs",
    "fs/gfs2",
    "fs/ceph",
    "fs/jfs",
    "fs/reiserfs",
    "fs/f2fs",
    "fs/afs",
    "fs/orangefs",
    "fs/ubifs",
    "fs/jffs2",
    "net/sctp",
    "net/tipc",
    "net/rds",
    "net/openvswitch",
    "net/ceph",
    "net/smc",
    "net/ax25",
    "net/rxrpc",
    "net/batman-adv",
    "net/dccp",
    "sound/firewire",
]
"""Kernel modules for what no box has: a third of the root."""

UNPACKED_NOT = (
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    *(f"/lib/modules/*/kernel/{place}/*" for place in _MODULES),
)
"""What no box needs: left out while packages are unpacked."""

UNPACKED_STILL = ("/usr/share/doc/*/copyright", "/usr/share/doc/vitald/*")


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine. `compatible` keeps a bundle of one kind from another; `first_mb`: the partition that the firmware reads.

    `boot`: `grub` chooses the slot in image/disk/amd64/grub.cfg, `tryboot` by the Raspberry Pi's own firmware.
    """

    architecture: str
    compatible: str
    boot: str
    packages: tuple[str, ...]
    console: str
    first_mb: int
    further_mb: tuple[int, ...] = ()
    """Sizes of the boot partitions of slot A and B, where the firmware cannot read a kernel out of a slot's own root."""


MACHINES = {
    "amd64": Machine(
        "amd64",
        "vitald-amd64",
        "grub",
        ("linux-image-amd64",),
        "console=tty0 console=ttyS0,115200",
        64,
    ),
    "arm64": Machine(
        "arm64",
        "vitald-arm64-rpi",
        "tryboot",
        ("linux-image-arm64",),
        "console=tty0 console=serial0,115200",
        16,
        (192, 192),
    ),
}

ROOT_MB = 640
"""Of each slot: an update may be larger than what it takes the place of."""

KIOSK_ROOT_MB = 1280
DATA_MB = 1024
"""In the file; the first start takes the rest of the disk."""
