"""A machine at a whole box: a token from the command line, what it opens, its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from webui.api.guard import KNOWN_S

pytestmark = pytest.mark.slow


def vitald_token(box, *words):
    command = [sys.executable, "-m", "daemon.cli", "token", "--config", str(box.config), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def asked(box, path, token):
    url = f"{box.url.rstrip('/')}/api/v1{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_from_the_command_line_to_the_last_request(box):
    until = time.monotonic() + 30
    while vitald_token(box, "list").returncode != 0:
        assert time.monotonic() < until, "the daemon does not answer"
    made = vitald_token(box, "create", "ward app", "read", "manage:devices", "--days", "30")
    assert made.returncode == 0, made.stdout + made.stderr
    token = made.stdout.strip()
    status, beds = asked(box, "/beds", token)
    assert (status, [bed["bed"] for bed in beds["beds"]]) == (200, ["1"])
    assert asked(box, "/devices", token)[0] == 200
    assert asked(box, "/live", token)[0] == 403
    revoked = vitald_token(box, "revoke", "ward app")
    assert revoked.returncode == 0, revoked.stdout + revoked.stderr
    until = time.monotonic() + 10 * KNOWN_S
    while asked(box, "/beds", token)[0] == 200:
        assert time.monotonic() < until, "a revoked token still opens"
        time.sleep(0.2)
    assert asked(box, "/beds", token)[0] == 401
