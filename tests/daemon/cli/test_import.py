"""`vitald import` before a real worker and a real store: what a person reads, and the exit codes."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime

import pytest

from daemon.cli import main
from daemon.store.recorded import sessions
from daemon.worker import working
from tests.daemon.exchange.importing_house import House
from tests.firmware_bridge.recordings.card_writer import CardWriter

DAY = date(2024, 3, 8)
EVENING = datetime(2024, 3, 8, 22, 30, 15)  # noqa: DTZ001 - a card has no time zone


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(
        f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[beds.1]\nname = "one"\n[beds.2]\nname = "two"\n'
    )
    return path


@pytest.fixture
def card(tmp_path):
    writer = CardWriter(tmp_path / "card")
    writer.identify()
    writer.session(DAY, EVENING, 2)
    return writer.root


async def command(*arguments) -> int:
    return await asyncio.to_thread(main, [str(a) for a in arguments])


async def test_a_card_is_imported_once(tmp_path, config, card, capsys):
    house = House(tmp_path)
    given = ("import", card, "--bed", "2", "--timezone", "UTC", "--by", "ann", "--config", config)
    async with house.daemon(), working(house.config):
        assert await command(*given) == 0
        assert capsys.readouterr().out.splitlines() == [
            "note: no STR.edf: the days' summaries and settings are missing",
            "AirSense 10 AutoSet 22222222222: 1 nights, 1 new sessions with 0 events, 0 here already, 0 empty",
        ]
        assert await command(*given, "--json") == 0
        again = json.loads(capsys.readouterr().out)
        assert (again["state"], again["added"], again["known"]) == ("done", 0, 1)
        (found,) = house.ask(lambda r: sessions(r, bed="2"))
        assert (found.actor, found.source) == ("ann", "import")
        assert await command("import", tmp_path / "run", "--bed", "2", "--config", config) == 1
        assert "not imported" in capsys.readouterr().out
        export = ("session", "export", found.name, "--config", config)
        assert await command(*export, "-o", tmp_path / "night.edf") == 0
        assert await command(*export, "--format", "jsonl", "-o", tmp_path / "night.jsonl") == 2
        assert "no messages" in capsys.readouterr().err


async def test_what_a_person_gets_wrong_is_one_line(tmp_path, config, card, capsys):
    assert await command("import", card, "--config", config) == 2
    assert "--bed is one of 1, 2" in capsys.readouterr().err
    assert await command("import", tmp_path / "none", "--bed", "1", "--config", config) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert await command("import", card, "--bed", "1", "--config", config) == 1
    assert "worker" in capsys.readouterr().out
