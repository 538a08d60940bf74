"""Outlets on real pseudo-terminals: what a reader sees of plugging, pulling, stalling and not reading."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios

import pytest

from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.dm_ecg import DmEcg, frame
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import DRIVER_BUFFER, Outlet

START, STOP = frame(0, 0x10, b""), frame(0, 0x11, b"")


class Reader:
    """The daemon's side: everything that arrives, and when the line hangs up."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.data = bytearray()
        self.hung_up = asyncio.Event()
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.fd, self._ready)

    def _ready(self):
        try:
            piece = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            self.data += piece
        else:
            self._stop()
            self.hung_up.set()
        self._more.set()

    async def until(self, what):
        async with asyncio.timeout(10):
            while not what(self.data):
                self._more.clear()
                await self._more.wait()

    def write(self, data):
        os.write(self.fd, data)

    def _stop(self):
        with contextlib.suppress(ValueError):
            asyncio.get_running_loop().remove_reader(self.fd)

    def close(self):
        self._stop()
        os.close(self.fd)


@contextlib.asynccontextmanager
async def running(*outlets):
    async with asyncio.TaskGroup() as group:
        for outlet in outlets:
            group.create_task(outlet.run(), name=f"simulator: {outlet.path.name}")
        try:
            yield
        finally:
            for outlet in outlets:
                outlet.close()


def ecg(tmp_path, name="ttyECG0", **options):
    return Outlet(name, DmEcg(Patient(500), **options), tmp_path)


def frames(data):
    return [bytes(data[k : k + 22]) for k in range(0, len(data) - 21, 22)]


async def test_board_answers_through_its_port(tmp_path):
    outlet = ecg(tmp_path)
    assert outlet.plug() == tmp_path / "ttyECG0"
    async with running(outlet):
        reader = Reader(outlet.path)
        try:
            reader.write(STOP)
            await reader.until(lambda d: len(d) >= 22)
            assert bytes(reader.data) == frame(0, 0x21, b"\x11")  # raw: neither echoed nor changed
            reader.write(START)
            await reader.until(lambda d: len(d) >= 22 * 52)
        finally:
            reader.close()
    seen = frames(reader.data)[2:52]
    assert [f[1] for f in seen] == [k % 64 for k in range(50)]
    assert outlet.lost_bytes == 0
    assert not outlet.path.is_symlink()


async def test_port_is_raw_before_anybody_asks(tmp_path):
    outlet = ecg(tmp_path)
    outlet.plug()
    fd = os.open(outlet.path, os.O_RDWR | os.O_NOCTTY)
    try:
        iflag, oflag, _, lflag = termios.tcgetattr(fd)[:4]
    finally:
        os.close(fd)
        outlet.close()
    assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    assert not oflag & termios.OPOST
    assert not iflag & (termios.IXON | termios.ICRNL | termios.ISTRIP | termios.INLCR | termios.IGNCR)


async def test_unplug_hangs_up_and_replug_under_another_name_starts_afresh(tmp_path):
    outlet = ecg(tmp_path, auto_stream=True)
    outlet.plug()
    async with running(outlet):
        reader = Reader(outlet.path)
        await reader.until(lambda d: len(d) >= 220)
        outlet.unplug()
        async with asyncio.timeout(5):
            await reader.hung_up.wait()
        assert not (tmp_path / "ttyECG0").is_symlink()
        reader.close()
        path = outlet.plug("ttyECG7")
        assert path == tmp_path / "ttyECG7"
        second = Reader(path)
        try:
            await second.until(lambda d: len(d) >= 220)
        finally:
            second.close()
    assert len({f[0] for f in frames(second.data)} | {0xE8}) == 1


@pytest.mark.slow
async def test_several_boards_in_one_process(tmp_path):
    outlets = [
        Outlet(f"tty{kind}", simulator(kind, Patient(250)), tmp_path) for kind in ("healthypi5", "cyton")
    ]
    for outlet in outlets:
        outlet.plug()
    async with running(*outlets):
        healthy, cyton = (Reader(outlet.path) for outlet in outlets)
        try:
            cyton.write(b"v")
            await healthy.until(lambda d: len(d) >= 290)
            await cyton.until(lambda d: d.endswith(b"$$$"))
        finally:
            healthy.close()
            cyton.close()
    assert healthy.data.startswith(b"\x0a\xfa\x16\x00\x02")
    assert cyton.data.startswith(b"OpenBCI")


def test_nobody_reading_costs_bytes_not_time(tmp_path):
    now = 0
    outlet = Outlet("tty", DmEcg(Patient(500), auto_stream=True), tmp_path, clock=lambda: now)
    outlet.plug()
    try:
        for _ in range(100):
            now += 10_000_000
            outlet.serve()
        assert outlet.unheard_bytes == 500 * 22  # nobody has the port open
        fd = os.open(outlet.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        for _ in range(2000):
            now += 10_000_000
            outlet.serve()
        sent, kept = 20 * 500 * 22, 0
        while True:  # what the terminal and the driver's buffer held comes out, in order, nothing twice
            now += 1
            outlet.serve()
            try:
                kept += len(os.read(fd, 65536))
            except BlockingIOError:
                break
        os.close(fd)
    finally:
        outlet.close()
    assert outlet.lost_bytes > 0
    assert kept + outlet.lost_bytes == pytest.approx(sent, abs=22)
    assert kept >= DRIVER_BUFFER


def test_stall_is_a_silent_line_and_a_jump_of_the_counter(tmp_path):
    now = 0
    outlet = Outlet("tty", DmEcg(Patient(500), auto_stream=True), tmp_path, clock=lambda: now)
    outlet.plug()
    fd = os.open(outlet.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    seen = bytearray()
    try:
        for step in range(300):
            if step == 100:
                outlet.stall(1.0)
            now += 10_000_000
            outlet.serve()
            with contextlib.suppress(BlockingIOError):
                seen += os.read(fd, 65536)
    finally:
        os.close(fd)
        outlet.close()
    assert outlet.faults.counts.stalled == pytest.approx(500 * 22, abs=5 * 22)
    counters = [f[1] for f in frames(seen)]
    jumps = [(b - a) % 64 for a, b in zip(counters, counters[1:], strict=False) if (b - a) % 64 != 1]
    assert jumps == [(outlet.faults.counts.stalled // 22 + 1) % 64]


def test_after_a_long_sleep_of_the_machine_the_board_starts_afresh(tmp_path):
    now = 0
    outlet = Outlet("tty", DmEcg(Patient(500), auto_stream=True), tmp_path, clock=lambda: now)
    outlet.plug()
    try:
        now += 8 * 3_600_000_000_000
        outlet.serve()
        assert outlet.unheard_bytes == 0  # eight hours of frames are not made up
        now += 1_000_000_000
        outlet.serve()
        assert outlet.unheard_bytes == 500 * 22
    finally:
        outlet.close()


@pytest.mark.parametrize("name", ["", "../tty", "a/b"])
def test_port_names_stay_in_their_folder(tmp_path, name):
    with pytest.raises(ValueError, match="plain file name"):
        ecg(tmp_path).plug(name)


def test_a_file_in_the_way_is_not_removed(tmp_path):
    (tmp_path / "ttyECG0").write_text("precious")
    with pytest.raises(FileExistsError):
        ecg(tmp_path).plug()
    assert (tmp_path / "ttyECG0").read_text() == "precious"


def test_a_link_left_by_a_killed_process_is_replaced(tmp_path):
    (tmp_path / "ttyECG0").symlink_to("/nowhere")
    outlet = ecg(tmp_path)
    outlet.plug()
    assert outlet.path.exists()
    outlet.close()


async def test_cancelled_outlet_pulls_its_cable(tmp_path):
    outlet = ecg(tmp_path)
    outlet.plug()
    task = asyncio.create_task(outlet.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not outlet.plugged
    assert list(tmp_path.iterdir()) == []
