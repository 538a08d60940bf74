"""What the reference cloud holds while it runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.cloud.faults import Faults
from tests.cloud.tokens import Tokens

MAX_BYTES = 1 << 20
MAX_REPORT = 64 << 20


@dataclass
class State:
    """`own_ids`: sessions never get the id that their client gave them. `idempotent` False: a control of tests.

    `asked` is told of every desired configuration: the MQTT side hands it on.
    """

    pool: Any
    api_keys: dict[str, str] = field(default_factory=dict)
    own_ids: bool = False
    idempotent: bool = True
    max_bytes: int = MAX_BYTES
    tokens: Tokens = field(default_factory=Tokens)
    faults: Faults = field(default_factory=Faults)
    asked: Callable[[str], Coroutine[Any, Any, None]] | None = None

    def key_or_new(self, key: str) -> str:
        """The key of what is stored: two rows differ where nothing says that they are the same."""
        return key if key and self.idempotent else secrets.token_hex(16)


STATE = web.AppKey("state", State)
