"""The reference firmware, compiled and run against our own board: the same samples bit for bit, on good and bad lines."""

from __future__ import annotations

import os
import pty
import random
import shutil
import subprocess
import time
import tty
from pathlib import Path

import numpy as np
import pytest

from benchmarks._vlp import RATE_HZ, TURN, Figures, Firmware, lossy
from firmware_bridge.boards import vlp
from firmware_bridge.frames import Identity, Number, Reply, Samples, Settings, Status
from firmware_bridge.simulators.vlp_banks import image
from firmware_bridge.simulators.wire import Conversation, Wire
from firmware_bridge.vlp import cobs, messages
from firmware_bridge.vlp.crc32c import crc32c
from firmware_bridge.vlp.wire import Letter, Opener, Type, sealed
from tests.firmware_bridge.vlp import updating

FOLDER = Path("firmware_bridge/firmware")
CORE = ("vlp_wire.c", "vlp_link.c", "vlp_settings.c", "vlp_firmware.c", "vlp_sha256.c")
SECOND = 1_000_000_000


def compiler() -> str:
    found = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no C compiler: install gcc")
        pytest.skip("no C compiler (gcc): the reference firmware is not tested")
    return found


def sanitizers(cc: str, folder: Path) -> str:
    """What this compiler can check while the program runs."""
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    command = [cc, "-fsanitize=address,undefined", "-o", str(folder / "probe"), str(probe)]
    works = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return (
        "address,undefined"
        if works and not subprocess.run([folder / "probe"], check=False).returncode
        else ""
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder with the program, built by its Makefile with every warning an error."""
    cc = compiler()
    folder = tmp_path_factory.mktemp("firmware")
    make = [
        "make",
        "-s",
        "-C",
        str(FOLDER),
        f"OUT={folder}",
        f"CC={cc}",
        f"SANITIZE={sanitizers(cc, folder)}",
    ]
    if shutil.which("make"):
        done = subprocess.run(make, capture_output=True, text=True, check=False)
    else:
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"]
        sources = [str(FOLDER / name) for name in ("host.c", *CORE)]
        done = subprocess.run(
            [cc, *flags, "-o", str(folder / "vlp_host"), *sources],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


@pytest.fixture
def program(built) -> Path:
    return built / "vlp_host"


def counting(path: Path, count: int) -> Path:
    k = np.arange(count)
    np.stack([k % TURN, k * 7 % TURN], axis=1).astype("<i2").tofile(path)
    return path


def talk(device: Firmware, seconds: float, *, jitter_s: float = 0.0):
    """(board, frames, conversation) after so long on a good line."""
    frames: list = []
    board = vlp.board({})
    one = Conversation(
        board,
        device,
        there=Wire(jitter_s=jitter_s),
        back=Wire(jitter_s=jitter_s),
        heard=lambda new, _now: frames.extend(new),
        begin_ns=1_000_000_000_000,
    )
    one.run(seconds)
    return board, frames, one


def test_samples_come_bit_for_bit(program, tmp_path):
    draw = np.random.default_rng(5)
    sent = draw.integers(-32767, 32768, (500, 2)).astype("<i2")
    sent.tofile(tmp_path / "samples")
    with Firmware(program, tmp_path / "samples") as device:
        _, frames, _ = talk(device, 21.0)

    got = np.concatenate([f.counts for f in frames if isinstance(f, Samples)], axis=1)
    assert (got == sent.T).all()
    assert sum(f.lost for f in frames if isinstance(f, Samples)) == 0
    assert [f for f in frames if isinstance(f, Identity)] == [
        Identity("vlp", "CPAP-2301-0001", "1.0", "VLP example")
    ]
    assert Number("cpap_set_pressure", 10.0, "cmH2O") in frames
    assert Status("mode", "CPAP") in frames


def test_on_a_bad_line_every_sample_comes_once_or_is_told_as_lost(program, tmp_path):
    samples = counting(tmp_path / "samples", 3200)
    with Firmware(program, samples, ppm=200.0) as device:
        figures: Figures = lossy(120.0, device=device, seed=3)

    assert figures.wrong == 0
    assert 0 <= figures.unsettled <= 75
    assert figures.delivered + figures.lost + figures.unsettled >= 2950
    assert figures.delivered > 0.8 * 120 * RATE_HZ
    assert figures.worst_ms("stamps", 20.0) < 2.0


def test_a_line_without_room_is_made_up_for_by_asking_again(program, tmp_path):
    """The line takes 120 bytes a step, the first words are six times as long: all comes in the end, in order."""
    samples = counting(tmp_path / "samples", 500)
    with Firmware(program, samples, options=("--room", "120")) as device:
        figures = lossy(15.0, corrupt=0.0, jitter_s=0.0, ppm=0.0, device=device)

    assert figures.wrong == 0
    assert figures.delivered > 300


def settled(one: Conversation, board: vlp.Vlp, frames: list, name: str, value: float) -> Reply:
    assert board.command("r1", name, value, one.now_ns) == ""
    one.run(1.0)
    (reply,) = [f for f in frames if isinstance(f, Reply)]
    return reply


def test_a_setting_is_proposed_echoed_and_done(program, tmp_path):
    with Firmware(program, counting(tmp_path / "samples", 500)) as device:
        board, frames, one = talk(device, 2.0)
        assert [s.name for s in board.settable] == ["target_pressure", "humidity_level"]
        assert settled(one, board, frames, "target_pressure", 12.4) == Reply("r1", ok=True, text="12.4")

    told = [dict(f.values) for f in frames if isinstance(f, Settings) and "target_pressure" in dict(f.values)]
    assert told[0]["target_pressure"] == "10"
    assert told[-1]["target_pressure"] == "12.4"
    assert Number("cpap_set_pressure", 12.4, "cmH2O") in frames


def test_an_unsafe_setting_is_refused_in_the_devices_words(program, tmp_path):
    samples = counting(tmp_path / "samples", 500)
    with Firmware(program, samples, options=("--refuse", "the mask is off")) as device:
        board, frames, one = talk(device, 2.0)
        assert settled(one, board, frames, "humidity_level", 3) == Reply(
            "r1", ok=False, text="the mask is off"
        )

    assert dict(board._asking.values)["humidity_level"] == "2"


def test_a_pseudo_terminal_in_real_time(program, tmp_path):
    """Two seconds as they pass, with a byte in 200 changed on the way to the host."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    samples = counting(tmp_path / "samples", 500)
    process = subprocess.Popen([program, "--samples", samples], stdin=slave, stdout=slave)
    os.close(slave)
    os.set_blocking(master, False)
    board, frames, draw = vlp.board({}), [], random.Random(1)
    board.opened(time.monotonic_ns())
    until = time.monotonic_ns() + 2 * SECOND
    try:
        while (now := time.monotonic_ns()) < until:
            os.write(master, board.due(now) or b"")
            try:
                heard = bytearray(os.read(master, 4096))
            except BlockingIOError:
                heard = bytearray()
            for at in range(len(heard)):
                heard[at] ^= draw.randrange(1, 256) if draw.random() < 0.005 else 0
            frames += board.feed(bytes(heard), time.monotonic_ns())
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait(10)
        os.close(master)

    blocks = [f for f in frames if isinstance(f, Samples)]
    at = int(blocks[0].counts[0, 0])
    for block in blocks:
        at += 0 if block is blocks[0] else block.lost
        assert block.counts[0].tolist() == list(range(at, at + block.counts.shape[1]))
        at += block.counts.shape[1]
    assert at > 20


def test_hostile_words_from_the_host_do_it_no_harm(program, tmp_path):
    """Noise and frames whose check is right, with the sanitizers looking on; afterwards it answers as before."""
    draw = random.Random(6)
    words = [
        "target_pressure=12",
        "target_pressure=",
        "=",
        "x" * 200,
        "humidity_level=99999999999",
        "\0=1",
        "",
        "=-",
    ]
    with Firmware(program, counting(tmp_path / "samples", 5)) as device:
        now = 1_000_000_000_000
        for step in range(600):
            now += draw.randrange(50_000_000)
            payload = draw.choice(
                [
                    draw.randbytes(draw.randrange(60)),
                    messages.command(
                        draw.choice((1, 2, 0x10, 0x11, 0x99)), draw.randrange(3), draw.choice(words)
                    ),
                    messages.resend(draw.randrange(60), draw.randrange(2**32)),
                ]
            )
            kind = draw.choice([*Type, draw.randrange(256)])
            device.feed(sealed(kind, draw.randrange(5), payload, draw.randrange(4)), now)
            device.feed(draw.randbytes(draw.randrange(900)) if step % 3 == 0 else b"\0", now)
            device.due(now)
        device.feed(b"\0" + sealed(Type.PING, 9, messages.ping(77)), now)
        answered = [p for p in Opener().cut(device.due(now)) if isinstance(p, Letter) and p.type == Type.PONG]

    assert messages.read_pong(answered[-1].payload)[0] == 77


WIRE_TEST = """
#include "vlp.h"
#include <stdio.h>
#include <string.h>
int main(void)
{
    static uint8_t in[1100], out[1200], back[1100];
    uint8_t head[2];
    while (fread(head, 1, 2, stdin) == 2) {
        size_t n = (size_t)head[0] | (size_t)head[1] << 8, stuffed;
        uint32_t crc;
        char text[16];
        int32_t value = 0;
        int good;
        if (fread(in, 1, n, stdin) < n)
            return 1;
        crc = vlp_crc32c(in, n);
        stuffed = vlp_stuff(in, n, out);
        if (vlp_unstuff(out, stuffed, back, n) != (long)n || memcmp(in, back, n) != 0)
            return 2;
        (void)vlp_unstuff(in, n, back, 64);
        good = vlp_thousandths((const char *)in, n, &value);
        vlp_decimal(value, text);
        printf("%08lx ", (unsigned long)crc);
        for (n = 0; n < stuffed; n++)
            printf("%02x", out[n]);
        printf(" %s\\n", good == 0 ? text : "-");
    }
    return 0;
}
"""


def test_its_wire_functions_agree_with_ours_on_any_content(built, tmp_path):
    cc = compiler()
    (tmp_path / "wire.c").write_text(WIRE_TEST)
    checks = sanitizers(cc, tmp_path)
    command = [cc, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{FOLDER}"]
    command += [f"-fsanitize={checks}", "-fno-sanitize-recover=all"] if checks else []
    sources = [str(tmp_path / "wire.c"), str(FOLDER / "vlp_wire.c")]
    subprocess.run([*command, "-o", str(tmp_path / "wire"), *sources], check=True)
    draw = random.Random(4)
    texts = [
        "10.2",
        "0",
        "-0.005",
        "20",
        "1e3",
        "",
        ".",
        "-",
        "4.",
        "12.3456",
        "999999",
        "9999999.9",
        "007.50",
        "--1",
    ]
    cases = [text.encode() for text in texts]
    for n in (0, 1, 253, 254, 255, 507, 508, 509, 1000):
        cases += [bytes([7]) * n, bytes(n), bytes(draw.choices((0, 1, 255), k=n)), draw.randbytes(n)]
    fed = b"".join(len(case).to_bytes(2, "little") + case for case in cases)
    done = subprocess.run([tmp_path / "wire"], input=fed, capture_output=True, check=True)

    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(cases)
    for case, line in zip(cases, lines, strict=True):
        crc, stuffed, number = line.split(" ")
        assert int(crc, 16) == crc32c(case)
        assert stuffed == cobs.encode(case).hex()
        value = messages.thousandths(case.decode("latin-1"))
        assert number == ("-" if value is None else messages.decimal(value))


# --- new firmware over the link --------------------------------------------------------------------------


@pytest.fixture
def banked(program, tmp_path):
    """A bench with the reference firmware, its two banks in a folder."""
    (tmp_path / "banks").mkdir()
    options = ("--banks", str(tmp_path / "banks"))
    with Firmware(program, counting(tmp_path / "samples", 8000), options=options) as device:
        yield updating.Bench(device)


def test_it_takes_new_firmware_and_keeps_it(banked):
    updating.check_taken_and_kept(banked, image("2.0"))


def test_it_leaves_bad_firmware_by_itself(banked):
    updating.check_gone_back_by_itself(banked, image("bad-1"))


def test_it_goes_back_when_it_is_told_to(banked):
    updating.check_told_to_go_back(banked, image("2.0"))


def test_it_goes_on_where_the_link_broke(banked):
    updating.check_goes_on_after_a_broken_link(banked, image("2.0", 20_001))


def test_it_refuses_what_is_not_for_it(banked):
    banked.run(3.0)
    assert banked.send(b"some other file" * 40, "2.0") == Reply("r1", ok=False, text="not for this device")


def test_without_banks_it_takes_none(program, tmp_path):
    with Firmware(program, counting(tmp_path / "samples", 500)) as device:
        bench = updating.Bench(device)
        bench.run(3.0)
        assert not bench.board.takes_firmware
