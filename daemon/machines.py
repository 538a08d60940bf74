"""The daemon's part for machines: their tokens, and whose devices are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon.control.ownership import OwnershipRoutes
from daemon.control.tokens import TokenRoutes
from daemon.model.outgoing import Outgoing
from daemon.model.signals import Nanos, Tick
from daemon.ownership import Attached, Ownership
from daemon.store.box import BoxFile
from daemon.store.writer import Writer
from daemon.tokens import Tokens


def machine_routes(
    file: BoxFile,
    attached: Attached,
    writer: Writer,
    beds: Sequence[str],
    *,
    now: Callable[[], Nanos],
    utc: Callable[[], tuple[int, bool]],
) -> tuple[TokenRoutes, OwnershipRoutes]:
    """The routes of the control socket. What is told of a device that is at no bed goes with the first one's messages."""

    def tell(bed: str | None, message: Outgoing) -> None:
        writer.offer(bed or beds[0], Tick(message.t_ns), outgoing=(message,))

    ownership = Ownership(file, attached, now=now, utc=utc, tell=tell)
    return TokenRoutes(Tokens(file, utc=utc)), OwnershipRoutes(ownership)
