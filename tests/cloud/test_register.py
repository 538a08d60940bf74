"""`vitald cloud register`: the box's account at a real backend; its secret on the disk, for the forwarder alone."""

from __future__ import annotations

import asyncio
import secrets
import stat

import pytest

from daemon.cli import main as vitald
from daemon.forward.destinations import Verdict
from tests.cloud.faults import Rule, Rules
from tests.daemon.forward.conftest import configured  # noqa: F401 - a fixture
from tests.daemon.forward.running import to


@pytest.fixture
def registered(configured, cloud, tmp_path):  # noqa: F811 - the fixture
    """Gives the command; -> exit code. The credential's file is `secret`."""
    identifier = f"BOX-{secrets.token_hex(4).upper()}"
    ward = to(
        "ward", "rest", url=cloud.base, identifier=identifier, password_file="ward-password", timeout_s=1
    )
    stick = to("stick", "folder", folder=str(tmp_path))
    configured(stick + ward, forward=f'credentials = "{tmp_path}/credentials"')

    async def give(*arguments, destination="ward"):
        path = str(tmp_path / "vitald.toml")
        return await asyncio.to_thread(
            vitald, ["cloud", "register", destination, "--config", path, *arguments]
        )

    give.secret = tmp_path / "credentials" / "ward-password"
    give.path = tmp_path / "vitald.toml"
    give.identifier = identifier
    return give


async def test_the_account_is_made_and_lets_the_box_in(registered, cloud, capsys):
    assert await registered("--name", "Bed 3", "--phone", "0711") == 0
    secret = registered.secret
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(secret.read_text().strip()) == 32
    user = await cloud.state.pool.fetchrow(
        "SELECT * FROM users WHERE device_serial = $1", registered.identifier
    )
    assert (user["full_name"], user["phone"]) == ("Bed 3", "0711")
    said = capsys.readouterr().out
    assert f'user_id = "{user["user_id"]}"' in said
    assert secret.read_text().strip() not in said

    assert await enters(registered) is Verdict.DONE
    assert await registered() == 2  # it has one


async def enters(registered):
    """How the forwarder's own destination signs in with what is on the disk."""
    from daemon.config import load
    from daemon.forward.process import Forwarder

    config = load(registered.path)
    rest = Forwarder(config)._make("ward", config.forward.destinations["ward"])
    try:
        return (await rest.open()).verdict
    finally:
        await rest.close()


async def test_an_answer_that_is_lost_costs_no_account(registered, cloud, capsys):
    """The account was made, and nobody heard of it; nor does it let us in. Given again, the command goes on with the same secret."""
    rules = [
        Rule(do="lost", times=1, match="/auth/register"),
        Rule(do="status", status=503, times=1, match="/auth/login"),
    ]
    cloud.state.faults.order(Rules(rules=rules))
    assert await registered() == 1
    assert not registered.secret.exists()
    kept = registered.secret.with_name("ward-password.new")
    secret = kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    assert await registered() == 0
    assert registered.secret.read_text() == secret
    assert not kept.exists()
    assert await enters(registered) is Verdict.DONE
    assert secret.strip() not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("destination", "said"), [("nowhere", "there are: stick, ward"), ("stick", "only rest")]
)
async def test_what_has_no_account_is_one_line(registered, capsys, destination, said):
    assert await registered(destination=destination) == 2
    assert said in capsys.readouterr().err
