"""Streams as their rows hold them."""

from __future__ import annotations

import json
from functools import lru_cache

from daemon.model.signals import Channel, Quantity


@lru_cache(64)
def channels_of(text: str) -> tuple[Channel, ...]:
    """Channels as a stream's row holds them."""
    return tuple(Channel(**{**c, "quantity": Quantity(c["quantity"])}) for c in json.loads(text))
