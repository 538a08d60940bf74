"""`vitald user` and `vitald audit` as a person at the console uses them, before the daemon's own desk of people and a real box.db."""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import re
import threading
import time

import bcrypt
import pytest
from aiohttp import web

from daemon.cli import BAD_INPUT, NOT_WELL, WELL, main
from daemon.control.acting import middleware
from daemon.control.people_routes import PeopleRoutes
from daemon.people.passwords import Passwords
from daemon.signing import Signing
from daemon.store.box import BoxFile

CHEAP = (64, 1, 1)
CONSOLE = f"console ({getpass.getuser()})"


@pytest.fixture
def box(tmp_path):
    """The configuration of a box whose people answer on its socket."""
    (tmp_path / "run").mkdir()
    config = tmp_path / "vitald.toml"
    config.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}/run"\n[beds.1]\n', encoding="utf-8")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ended = asyncio.Event()

    async def serve(ready):
        path = tmp_path / "box.db"
        file = BoxFile(path)
        signing = Signing(
            file,
            path,
            "boot-1",
            now=time.monotonic_ns,
            utc=lambda: (time.time_ns(), True),
            passwords=Passwords(CHEAP),
        )
        await signing.restore()
        app = web.Application(middlewares=[middleware(signing.entrance)])
        PeopleRoutes(signing).add_to(app)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "run" / "control.sock")).start()
        ready.set()
        await ended.wait()
        await runner.cleanup()
        await signing.close()
        await file.close()

    ready = threading.Event()
    served = asyncio.run_coroutine_threadsafe(serve(ready), loop)
    assert ready.wait(20)
    yield config
    loop.call_soon_threadsafe(ended.set)
    served.result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture
def vitald(box, capsys):
    """`vitald("user", "list")`: the exit code, and what was printed."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*arguments, "--config", str(box)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def people(vitald, *filters):
    code, out = vitald("user", "list", "--json", *filters)
    assert code == WELL
    return {one["full_name"]: one for one in json.loads(out)["people"]}


def audited(vitald):
    code, out = vitald("audit", "list", "--json")
    assert code == WELL
    return [json.loads(line) for line in out.splitlines()]


def test_a_person_is_added_reset_given_another_role_removed_and_restored(vitald):
    code, said = vitald("user", "add", "Nora Nurse", "nurse", "--serial", "BOX-1", "--phone", "12 34")
    assert code == WELL
    assert re.search(r"password, shown this once: (\S{8,})", said)
    assert people(vitald)["Nora Nurse"] | {"role": "nurse", "machine_serial_id": "BOX-1", "must_change": True, "phone": "12 34"} == people(vitald)["Nora Nurse"]  # fmt: skip
    assert vitald("user", "role", "box-1", "clinician")[0] == WELL
    assert vitald("user", "reset", "nora nurse")[1].count("shown this once") == 1
    assert vitald("user", "unlock", "Nora Nurse")[0] == WELL
    assert vitald("user", "remove", "Nora Nurse")[0] == WELL
    assert people(vitald, "--role", "clinician")["Nora Nurse"]["active"] is False
    assert "deactivated" in vitald("user", "list")[1]
    assert vitald("user", "restore", "Nora Nurse")[0] == WELL
    assert people(vitald, "--role", "nurse") == {}

    rows = audited(vitald)
    assert {(row["actor"], row["by"]["role"]) for row in rows} == {(CONSOLE, "console")}
    assert len(rows) == 6
    assert "shown" not in json.dumps(rows)
    assert vitald("audit", "verify") == (WELL, "the chain is whole: 6 rows\n")


def test_a_password_of_ones_own_comes_by_standard_input_and_is_in_no_answer(vitald, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("four words in a row\n"))
    code, said = vitald("user", "add", "Anna Admin", "admin", "--password-stdin")
    assert (code, "password" in said) == (WELL, False)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    code, said = vitald("user", "add", "Bert", "admin", "--password-stdin")
    assert code == BAD_INPUT
    assert "12" in said
    assert "Bert" not in people(vitald)
    assert "four words" not in json.dumps(audited(vitald))


def test_who_is_not_known_or_not_the_only_one_is_said(vitald):
    for number in range(2):
        assert vitald("user", "add", "Tom Twin", "viewer", "--serial", f"T-{number}")[0] == WELL
    code, said = vitald("user", "remove", "Tom Twin")
    assert (code, "several people are called Tom Twin" in said) == (BAD_INPUT, True)
    code, said = vitald("user", "unlock", "Nobody")
    assert (code, "there is nobody called Nobody" in said) == (BAD_INPUT, True)


def test_the_earlier_applications_users_come_in_and_what_does_not_is_told(vitald, tmp_path):
    hashed = bcrypt.hashpw(b"a password of old", bcrypt.gensalt(4)).decode()
    file = tmp_path / "users.json"
    known = [
        {"full_name": "Old Hand", "password": hashed},
        {"full_name": "Plain", "password": "in the clear"},
    ]
    file.write_text(json.dumps([*known, {"full_name": "Old Hand", "password": hashed}]))
    code, said = vitald("user", "import", str(file), "--role", "nurse")
    assert code == NOT_WELL
    assert "2 people came in" in said
    assert "not Old Hand" in said
    assert b"in the clear" not in (tmp_path / "box.db").read_bytes()
    assert people(vitald)["Old Hand"]["role"] == "nurse"
    assert vitald("user", "import", str(tmp_path / "none.json"))[0] == BAD_INPUT


def test_the_audit_is_filtered_and_needs_no_daemon(vitald, box):
    vitald("user", "add", "Nora Nurse", "nurse")
    vitald("user", "role", "Nora Nurse", "clinician")
    (box.parent / "run" / "control.sock").unlink()
    assert len(audited(vitald)) == 2
    assert "role" in vitald("audit", "list", "--what", "role")[1]
    assert vitald("audit", "list", "--actor", "somebody else")[1] == ""
    assert vitald("audit", "list", "--to", "2020-01-01")[1] == ""
    assert vitald("audit", "list", "--from", "2020-01-01", "--most", "1")[1].count("\n") == 1
    assert vitald("audit", "list", "--most", "0")[0] == BAD_INPUT
    code, said = vitald("user", "list")
    assert (code, "the daemon does not answer" in said) == (NOT_WELL, True)
