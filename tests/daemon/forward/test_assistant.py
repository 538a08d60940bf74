"""The assistant against servers that speak both wires, well and badly: what goes is what was shown, what comes is text or a reason."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.config import Assistant as Set
from daemon.control.assistant import AssistantAsked, AssistantClient, AssistantPayload
from daemon.forward.assistant import LONGEST_ANSWER, Assistant
from daemon.forward.assistant_wire import Events, Garbage, heard

TEXT = "Ein ruhiger Sinusrhythmus – 75/min. "
PAYLOAD = {
    "age_band": "40-59",
    "numbers": [{"name": "heart_rate", "value": 75.0, "unit": "bpm"}],
    "statements": ["rhythm.N"],
}


def sse(*events: object, end: str = "\n\n") -> bytes:
    return b"".join(
        b"data: " + (e if isinstance(e, str) else json.dumps(e, ensure_ascii=False)).encode() + end.encode()
        for e in events
    )


def gemini(text: str | None, reason: str | None = None) -> dict:
    content = {"role": "model"} | ({} if text is None else {"parts": [{"text": text}]})
    return {"candidates": [{"content": content, "index": 0} | ({"finishReason": reason} if reason else {})]}


def openai(text: str | None, reason: str | None = None) -> dict:
    delta = {"role": "assistant"} if text is None else {"content": text}
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


ANSWERS = {
    "gemini": {
        "normal": sse(gemini(TEXT), gemini(TEXT), {**gemini(TEXT, "STOP"), "usageMetadata": {"totalTokenCount": 49}}),
        "blocked": sse({"promptFeedback": {"blockReason": "SAFETY"}}),
        "truncated": sse(gemini(TEXT), gemini(None, "MAX_TOKENS")),
        "half": sse(gemini(TEXT)),
    },
    "openai": {
        "normal": b": comment\n\n"
        + sse(openai(None), openai(TEXT), openai(TEXT), openai(TEXT), openai(None, "stop"), {"choices": [], "usage": {}}, "[DONE]"),
        "blocked": sse(openai(None, "content_filter"), "[DONE]"),
        "truncated": sse(openai(TEXT), openai(None, "length"), "[DONE]"),
        "half": sse(openai(TEXT)),
    },
}  # fmt: skip


class Model:
    """A server of either kind. `how` it answers; what it was asked is kept."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.how = "normal"
        self.asked: list[tuple[str, dict, bytes]] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path_qs, dict(request.headers), await request.read()))
        if self.how.isdecimal():
            headers = {"Retry-After": "17"} if self.how == "429" else {}
            text = json.dumps({"error": {"message": "John Doe", "code": int(self.how)}})
            return web.Response(status=int(self.how), text=text, headers=headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        answers = ANSWERS[self.kind]
        if self.how == "drip":  # a byte at a time: cut inside every letter
            for byte in answers["normal"]:
                await response.write(bytes([byte]))
        elif self.how == "slow":
            await response.write(answers["half"])
            await asyncio.sleep(30)
        elif self.how == "cut":
            await response.write(answers["half"])
            request.transport.abort()
        elif self.how == "garbage":
            await response.write(b"<html>no such thing</html>\n\n")
        elif self.how == "no json":
            await response.write(sse("{torn"))
        elif self.how == "error":
            await response.write(sse({"error": {"message": "John Doe"}}))
        elif self.how == "large":
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    await response.write(sse((gemini if self.kind == "gemini" else openai)("x" * 100_000)))
        elif self.how == "endless":
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    await response.write(b"data: " + b"x" * 100_000)
        else:
            await response.write(answers[self.how])
        return response


@contextlib.asynccontextmanager
async def serving(kind: str, folder, **more) -> AsyncIterator[tuple[Model, Assistant]]:
    model = Model(kind)
    app = web.Application()
    app.router.add_post("/{path:.*}", model.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (folder / "key").write_text("secret-key\n")
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    set_ = Set(kind=kind, url=url, model="m-1", key_file="key", per_hour=more.pop("per_hour", 50))
    try:
        yield model, Assistant(set_, folder, **more)
    finally:
        await runner.cleanup()


def asked(**more) -> AssistantAsked:
    return AssistantAsked.model_validate(
        {"question": "explain_numbers", "payload": PAYLOAD, "language": "de", **more}
    )


async def answer(assistant: Assistant, identity: str | None = None) -> tuple[str, str]:
    pieces = [piece async for piece in assistant.answer(identity or assistant.prepare(asked()).id)]
    assert [piece.end for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return "".join(piece.text for piece in pieces), pieces[-1].problem


@pytest.mark.parametrize("kind", ["gemini", "openai"])
async def test_both_wires_well_and_badly(kind, tmp_path):
    async with serving(kind, tmp_path, within_s=20.0) as (model, assistant):
        told = {}
        for how in ("normal", "drip", "blocked", "truncated", "half", "cut", "garbage", "no json", "error", "large", "endless", "429", "500", "401"):  # fmt: skip
            model.how = how
            told[how] = await answer(assistant)
    assert told["normal"] == told["drip"] == (3 * TEXT, "")
    assert told["blocked"] == ("", "blocked")
    assert told["truncated"] == (TEXT, "too_long")
    assert told["half"] == told["cut"] == (TEXT, "cut")
    assert [told[how] for how in ("garbage", "no json", "error", "endless")] == [("", "garbage")] * 4
    assert told["large"] == ("x" * LONGEST_ANSWER, "too_long")
    assert [told[how][1] for how in ("429", "500", "401")] == ["limited", "failed", "refused"]


@pytest.mark.parametrize("kind", ["gemini", "openai"])
async def test_what_goes_is_what_was_shown_and_nothing_else(kind, tmp_path):
    async with serving(kind, tmp_path) as (model, assistant):
        prepared = assistant.prepare(asked())
        await answer(assistant, prepared.id)
        ((path, headers, body),) = model.asked
    assert body.decode() == prepared.body
    assert prepared.sha256 == hashlib.sha256(body).hexdigest()
    assert "secret-key" not in path + prepared.body
    said = json.loads(body)
    if kind == "gemini":
        assert path == "/v1beta/models/m-1:streamGenerateContent?alt=sse"
        assert headers["x-goog-api-key"] == "secret-key"
        assert set(said) == {"systemInstruction", "contents", "generationConfig"}
        (part,) = said["contents"][0]["parts"]
        text = part["text"]
    else:
        assert path == "/v1/chat/completions"
        assert headers["Authorization"] == "Bearer secret-key"
        assert set(said) == {"model", "messages", "temperature", "max_tokens", "stream"}
        assert [m["role"] for m in said["messages"]] == ["system", "user"]
        text = said["messages"][1]["content"]
    payload = json.loads(text.partition("\n")[2])
    assert payload == {
        "age_band": "40-59",
        "numbers": [{"name": "Heart rate", "value": 75.0, "unit": "bpm"}],
        "statements": ["Sinus rhythm"],
    }


@pytest.mark.parametrize(
    "payload",
    [
        {**PAYLOAD, "full_name": "John Doe"},
        {**PAYLOAD, "age_band": "47"},
        {**PAYLOAD, "numbers": [{**PAYLOAD["numbers"][0], "bed": "1"}]},
        {**PAYLOAD, "numbers": [{**PAYLOAD["numbers"][0], "name": "John Doe"}]},
        {**PAYLOAD, "numbers": [{**PAYLOAD["numbers"][0], "unit": "born 1931-04-27 in Oslo"}]},
        {**PAYLOAD, "numbers": PAYLOAD["numbers"] * 41},
    ],
)
def test_a_payload_has_no_other_keys_or_kinds(payload):
    with pytest.raises(ValidationError):
        AssistantPayload.model_validate(payload)


async def test_what_is_not_of_our_tables_is_refused(tmp_path):
    async with serving("openai", tmp_path) as (model, assistant):
        for wrong in ({"statements": ["John Doe"]}, {"statements": ["rhythm.John"]}, {"statements": ["page.bed"]},
                      {"numbers": [{"name": "john_doe", "value": 1.0, "unit": ""}]}):  # fmt: skip
            assert assistant.prepare(asked(payload={**PAYLOAD, **wrong})).problem == "refused"
        assert model.asked == []


async def test_once_and_soon_and_not_too_often(tmp_path):
    now = [0.0]
    async with serving("openai", tmp_path, per_hour=2, clock=lambda: now[0]) as (model, assistant):
        first = assistant.prepare(asked()).id
        assert (await answer(assistant, first))[1] == ""
        assert (await answer(assistant, first))[1] == "gone"
        late = assistant.prepare(asked()).id
        now[0] += 301
        assert (await answer(assistant, late))[1] == "gone"
        assert (await answer(assistant))[1] == ""
        assert (await answer(assistant))[1] == "limited"
        now[0] += 3600
        assert (await answer(assistant))[1] == ""
        assert len(model.asked) == 3


async def test_a_slow_answer_ends(tmp_path):
    async with serving("gemini", tmp_path, within_s=0.5) as (model, assistant):
        model.how = "slow"
        assert await answer(assistant) == (TEXT, "timeout")


async def test_off_unless_set_and_a_server_that_is_not_there(tmp_path):
    assert not Set().is_set
    assert Assistant(Set(), tmp_path).prepare(asked()).problem == "off"
    gone = Assistant(Set(kind="openai", url="http://127.0.0.1:9", model="m"), tmp_path)
    assert await answer(gone) == ("", "unreachable")
    no_key = Assistant(Set(kind="openai", url="http://127.0.0.1:9", model="m", key_file="none"), tmp_path)
    assert (await answer(no_key))[1] != ""


async def test_over_the_socket(tmp_path):
    async with serving("gemini", tmp_path) as (_, assistant):
        app = web.Application()
        assistant.add_to(app)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "s")).start()
        async with AssistantClient(tmp_path / "s") as client:
            prepared = await client.prepare(asked())
            pieces = [piece async for piece in client.ask(prepared.id)]
        await runner.cleanup()
    assert "".join(piece.text for piece in pieces) == 3 * TEXT
    assert pieces[-1].end


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["gemini", "openai"]))
def test_however_the_stream_is_cut_the_text_is_the_same(data, kind):
    stream = ANSWERS[kind]["normal"]
    if data.draw(st.booleans()):
        stream = stream.replace(b"\n", b"\r\n")
    events, text, at = Events(), "", 0
    while at < len(stream):
        step = data.draw(st.integers(1, 60))
        text += "".join(heard(kind, said).text for said in events.feed(stream[at : at + step]))
        at += step
    assert text == 3 * TEXT


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["gemini", "openai"]))
def test_whatever_comes_it_is_text_or_garbage(noise, kind):
    events = Events()
    with contextlib.suppress(Garbage):
        for said in [*events.feed(noise + b"\n\n"), *events.end()]:
            heard(kind, said)
