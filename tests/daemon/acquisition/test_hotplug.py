"""What sysfs says of a port, read from a tree of the shape that the kernel makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.acquisition import hotplug


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hotplug, "_TTYS", tmp_path / "class" / "tty")
    monkeypatch.setattr(hotplug, "_LINKS", (tmp_path / "by-id", tmp_path / "by-path"))
    return tmp_path


def test_a_usb_port_has_its_adapters_serial_number_and_ids(tree: Path) -> None:
    master, slave = os.openpty()
    node = os.ttyname(slave)
    device = tree / "devices" / "usb1" / "1-2"
    interface = device / "1-2:1.0" / "ttyUSB0"
    interface.mkdir(parents=True)
    for name, text in (("idVendor", "0403\n"), ("idProduct", "6015\n"), ("serial", "DN01ABCD\n")):
        (device / name).write_text(text)
    entry = tree / "class" / "tty" / Path(node).name
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(interface)
    (tree / "by-path").mkdir()
    (tree / "by-path" / "platform-usb-0:1.2:1.0-port0").symlink_to(node)
    (port,) = hotplug.find(node)

    assert (port.usb_serial, port.usb_id) == ("DN01ABCD", (0x0403, 0x6015))
    assert port.label() == "platform-usb-0:1.2:1.0-port0"
    assert port.present()
    os.close(slave)
    os.close(master)
    assert not port.present()


def test_a_port_without_usb_has_no_serial_number_and_is_called_by_its_name(tree: Path) -> None:
    master, slave = os.openpty()
    (tree / "ttyECG0").symlink_to(os.ttyname(slave))
    (port,) = hotplug.find(str(tree / "ttyECG0"))

    assert (port.usb_serial, port.usb_id) == ("", None)
    assert port.label() == "ttyECG0"
    os.close(slave)
    os.close(master)
