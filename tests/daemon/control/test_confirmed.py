from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from daemon.control.confirmed import ConfirmedRoute, ConfirmedSeen
from daemon.model.outgoing import Lane


async def test_what_every_receiver_has_is_heard_and_nonsense_is_not():
    heard = []
    app = web.Application()
    ConfirmedRoute(lambda identity, lanes: heard.append((identity, dict(lanes)))).add_to(app)
    async with TestClient(TestServer(app)) as client:
        body = ConfirmedSeen(identity="i", lanes={Lane.ALARMS: 7, Lane.REPORTS: 0}).model_dump_json()
        for text, status in ((body, 204), ('{"identity":"i","lanes":{"9":1}}', 400), ("", 400)):
            async with client.post("/confirmed", data=text) as response:
                assert response.status == status
    assert heard == [("i", {Lane.ALARMS: 7, Lane.REPORTS: 0})]
