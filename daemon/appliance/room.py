"""How much the store may take, and whether there is room for more than it needs."""

from __future__ import annotations

from daemon.config import Config, Store
from daemon.store.ballast import free_bytes
from daemon.store.retention import Quota


def quota_of(store: Store) -> Quota:
    mb = 1_000_000
    return Quota(
        store.waveform_mb * mb, store.numbers_mb * mb, store.keep_free_mb * mb, store.ballast_mb * mb
    )


def has_room(config: Config) -> bool:
    """Whether an import leaves the live recording, which gives way by itself, more than the room it must have."""
    return free_bytes(config.box.data) > 2 * config.store.keep_free_mb * 1_000_000
