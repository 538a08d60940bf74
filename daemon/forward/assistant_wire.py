"""The wire of two kinds of language models: Gemini's generateContent (v1beta), and OpenAI's chat completions. Pure.

Both stream server-sent events: lines of `data:` until a blank one. Events may be cut anywhere, within a letter too, so bytes are
gathered until a blank line. Gemini ends with the connection, OpenAI with `[DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

GEMINI_URL = "https://generativelanguage.googleapis.com"
MOST_TOKENS = 512
LARGEST_EVENT = 256 * 1024

Kind = Literal["gemini", "openai"]

_SYSTEM = (
    "You explain measurements of a bedside monitor to hospital staff in plain words. You give general explanations of what "
    "numbers and statements mean. You never give a diagnosis, never advise a treatment, a drug or a setting, never say that "
    "a patient is well. You say so when something cannot be judged from numbers. Answer in {language}, in at most 150 words, "
    "as plain text."
)
_LANGUAGES = {"en": "English", "de": "German"}
QUESTIONS = {
    "explain_numbers": "Explain what these numbers mean.",
    "explain_statements": "Explain what these statements mean.",
    "what_is_measured": "Explain how each of these is measured and what can disturb it.",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one event said: text, and whether it was the last. `blocked`: the model refuses; `cut`: it ran out of room."""

    text: str = ""
    last: bool = False
    blocked: bool = False
    cut: bool = False


class Garbage(ValueError):
    """What came is not of this wire."""


def address(kind: Kind, url: str, model: str) -> str:
    """Where the request goes."""
    base = (url or GEMINI_URL).rstrip("/")
    if kind == "gemini":
        return f"{base}/v1beta/models/{model}:streamGenerateContent?alt=sse"
    return f"{base}/chat/completions" if base.endswith("/v1") else f"{base}/v1/chat/completions"


def headers(kind: Kind, key: str) -> dict[str, str]:
    """Headers of the request; the key is in one, never in the address, which is logged."""
    own = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if key:
        own |= {"x-goog-api-key": key} if kind == "gemini" else {"Authorization": f"Bearer {key}"}
    return own


def body(kind: Kind, model: str, question: str, payload: Mapping[str, Any], language: str) -> str:
    """The body of the request: our two texts, and the payload as JSON."""
    system = _SYSTEM.format(language=_LANGUAGES.get(language, "English"))
    user = f"{QUESTIONS[question]}\n{json.dumps(payload, ensure_ascii=False, sort_keys=True)}"
    if kind == "gemini":
        said: dict[str, Any] = {
            "systemInstruction": {"parts": [{"text": system}]},
            "contents": [{"role": "user", "parts": [{"text": user}]}],
            "generationConfig": {"temperature": 0.2, "topP": 0.9, "maxOutputTokens": MOST_TOKENS},
        }
    else:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        said = {
            "model": model,
            "messages": messages,
            "temperature": 0.2,
            "max_tokens": MOST_TOKENS,
            "stream": True,
        }
    return json.dumps(said, ensure_ascii=False, indent=1)


class Events:
    """Server-sent events out of bytes, however they are cut. Bounded: raises `Garbage` for an event without an end."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The data of every event that is complete now."""
        self._rest = (self._rest + data).replace(b"\r\n", b"\n")
        while b"\n\n" in self._rest:
            event, self._rest = self._rest.split(b"\n\n", 1)
            if text := _data(event):
                yield text
        if len(self._rest) > LARGEST_EVENT:
            raise Garbage

    def end(self) -> Iterator[str]:
        """What stood there when the connection ended."""
        event, self._rest = self._rest, b""
        if text := _data(event):
            yield text


def _data(event: bytes) -> str:
    try:
        lines = event.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise Garbage from None
    if any(line and not line.startswith((":", "data:", "event:", "id:", "retry:")) for line in lines):
        raise Garbage
    return "\n".join(line[5:].lstrip() for line in lines if line.startswith("data:"))


def heard(kind: Kind, data: str) -> Heard:
    """What an event says. Raises `Garbage`."""
    if data == "[DONE]":
        return Heard(last=True)
    try:
        said = json.loads(data)
        if not isinstance(said, dict):
            raise Garbage
        return _gemini(said) if kind == "gemini" else _openai(said)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        raise Garbage from None


def _gemini(said: Mapping[str, Any]) -> Heard:
    if said.get("promptFeedback", {}).get("blockReason"):
        return Heard(last=True, blocked=True)
    candidates = said.get("candidates")
    if candidates is None and "error" in said:
        raise Garbage
    if not candidates:
        return Heard()
    parts = (candidates[0].get("content") or {}).get("parts") or []
    text = "".join(str(part.get("text", "")) for part in parts)
    reason = candidates[0].get("finishReason")
    blocked = reason in {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER"}
    return Heard(text, last=reason is not None, blocked=blocked, cut=reason == "MAX_TOKENS")


def _openai(said: Mapping[str, Any]) -> Heard:
    if "error" in said or "choices" not in said:
        raise Garbage
    if not said["choices"]:
        return Heard()  # the count of tokens
    choice = said["choices"][0]
    text = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
    reason = choice.get("finish_reason")
    # The end is [DONE]; a server that leaves it out has said its last word all the same.
    return Heard(
        str(text), last=reason is not None, blocked=reason == "content_filter", cut=reason == "length"
    )
