"""What can be configured, what cannot, and the process as systemd starts it."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from benchmarks._backlog import BOOT, recorded
from daemon.cli import main as vitald
from daemon.config import BadConfig
from daemon.control.forwarding import ForwardClient, NotAnswering
from daemon.forward.process import Forwarder, box_serial
from daemon.forward.telling import Telling
from tests.daemon.forward.running import all_done, forwarding, in_folder, to, until

OF_ITS_KIND = [
    (to("x", "carrier_pigeon"), "forward.destinations.x.kind"),
    (to("x", "folder"), "forward.destinations.x.folder"),
    (to("x", "folder", folder="/tmp", colour="red"), "forward.destinations.x.colour"),
]


@pytest.mark.parametrize(("destinations", "key"), OF_ITS_KIND)
async def test_a_destination_that_cannot_be_made_is_said_so_and_the_others_go_on(
    configured, tmp_path, capsys, destinations, key
):
    out = tmp_path / "stick"
    out.mkdir()
    config = configured(destinations + to("stick", folder=str(out)))
    path = str(tmp_path / "vitald.toml")
    assert await asyncio.to_thread(vitald, ["forward", "--check", "--config", path]) == 78
    said = capsys.readouterr()
    assert f"x: {key}" in said.err
    assert said.out == "stick: well\n"

    await recorded(config.box.database, 2)
    async with forwarding(config) as forwarder:
        await until(all_done(forwarder, "stick"))
        async with ForwardClient(config.forward_socket) as client:
            told = {one.name: one for one in (await client.told()).destinations}
        telling = Telling(config.box.socket, forwarder)
        now_ms = time.time_ns() // 1_000_000
        assert telling.clouds(now_ms + 599_000, 10**15).unreachable == ()
        assert telling.clouds(now_ms + 601_000, 10**15).unreachable == ("x",)
        assert telling.confirmed() == {}  # its data are kept
    assert (told["x"].state, told["x"].reason.startswith(key)) == ("fault", True)
    assert in_folder(out)


def test_a_configuration_that_can_be_used_is_well(configured, tmp_path, capsys):
    configured(to("stick", folder=str(tmp_path)))
    assert vitald(["forward", "--check", "--config", str(tmp_path / "vitald.toml")]) == 0
    assert capsys.readouterr().out == "stick: well\n"


@pytest.mark.parametrize(
    ("destinations", "key"),
    [
        (to("x", "folder", folder="/tmp", start="yesterday"), "forward.destinations.x.start"),
        (to("x", "folder", folder="/tmp", lanes=["speed"]), "forward.destinations.x.lanes"),
    ],
)
def test_bad_configuration_names_the_key(configured, tmp_path, capsys, destinations, key):
    with suppress(BadConfig):  # what only the kind knows is found when it is made
        configured(destinations)
    assert vitald(["forward", "--config", str(tmp_path / "vitald.toml")]) == 78
    assert key in capsys.readouterr().err


def test_the_names_of_the_application_before_make_a_destination(configured, monkeypatch):
    monkeypatch.setenv("BACKEND_API_URL", "http://127.0.0.1:3000/api/v1")
    assert not configured("").forward.destinations
    monkeypatch.setenv("BACKEND_UPLOAD_ENABLED", "true")
    monkeypatch.setenv("BACKEND_API_KEY", "secret")
    config = configured("")

    assert config.forward.destinations["backend"].options == {
        "url": "http://127.0.0.1:3000/api/v1",
        "api_key_file": "BACKEND_API_KEY",
    }
    forwarder = Forwarder(config, boot=BOOT)
    made = forwarder._make("backend", config.forward.destinations["backend"])
    assert made.place.secret("BACKEND_API_KEY").get_secret_value() == "secret"
    assert "secret" not in repr(config)


def test_the_box_has_a_serial_number_of_its_own(configured):
    assert box_serial(configured("")) == "BOX-0001-0042"


def test_the_process_starts_without_a_store_and_ends_at_sigterm(configured, tmp_path):
    configured(to("stick", folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "forward", "--config", str(tmp_path / "vitald.toml")],
        stderr=subprocess.PIPE,
        text=True,
    )
    socket = tmp_path / "run-forward" / "forward.sock"
    try:
        until_s = time.monotonic() + 15
        while not socket.exists():
            assert time.monotonic() < until_s
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        said = process.communicate()[1]
    assert "Traceback" not in said


def test_a_second_one_in_the_same_place_ends_with_78(configured, tmp_path, capsys):
    config = configured("")
    config.forward_data.mkdir()
    with (config.forward_data / "forward.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert vitald(["forward", "--config", str(tmp_path / "vitald.toml")]) == 78
    assert "another vitald forward" in capsys.readouterr().err


async def test_asking_a_forwarder_that_does_not_run(configured, capsys, tmp_path):
    config = configured("")
    async with ForwardClient(config.forward_socket) as client:
        with pytest.raises(NotAnswering):
            await client.told()
    assert await asyncio.to_thread(vitald, ["queue", "--config", str(tmp_path / "vitald.toml")]) == 1
    assert capsys.readouterr().out.startswith("the forwarder does not answer")


def test_the_process_loads_no_library_of_a_destination_before_it_is_needed():
    code = "import sys; import daemon.forward.process; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not set(loaded) & {
        "boto3",
        "botocore",
        "obstore",
        "asyncssh",
        "aioftp",
        "aiomqtt",
        "paho",
        "scipy",
        "jinja2",
    }
