"""Whether anybody can see and hear the alarms of a bed: the pages that are open, as whoever serves them tells every second.

A page counts while it is in view and draws. A bed expects one from the first that it had, while there is somebody to be looked
at: a patient was admitted, or a measurement has been valid, so that alarms are armed. Without any page for 15 s its alarms say so
(SCREEN LOST), and on a box that has no loudspeaker they say as well when no page can be heard (SOUND MISSING).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from daemon.control.messages import ScreensSeen
from daemon.model.signals import Fact, FactState, Nanos

LOST_AFTER_NS: Nanos = 15_000_000_000

SCREEN, SOUND = "screen", "sound"
"""Sources of the Facts."""

NOT_HEARD = "screens"
"""Detail of the Fact that no page can be heard, where the pages are the only loudspeakers."""


class Screens:
    """All beds. `speaker`: the box has a loudspeaker of its own; `matters`: whether somebody is to be looked at there."""

    def __init__(self, beds: Iterable[str], matters: Callable[[str], bool], *, speaker: bool) -> None:
        self._beds = tuple(beds)
        self._matters = matters
        self._empty_ns: dict[str, Nanos] = {}  # bed -> when there was last nobody
        self._needed = (SCREEN,) if speaker else (SCREEN, SOUND)
        self._since: dict[tuple[str, str], Nanos] = {}  # (bed, source) -> when there was last what is needed
        self._failed: set[tuple[str, str]] = set()

    def hear(self, seen: ScreensSeen, now_ns: Nanos) -> None:
        """The pages that are open at `now_ns`."""
        for bed in self._beds:
            alive = [s for s in seen.screens if s.bed in {bed, ""} and s.visible and s.draws]
            if alive:
                self._since[bed, SCREEN] = now_ns
                self._since.setdefault((bed, SOUND), now_ns)
            if any(screen.sound == "on" for screen in alive):
                self._since[bed, SOUND] = now_ns

    def judge(self, now_ns: Nanos) -> list[Fact]:
        """What has been lost, or has come back, as of `now_ns`; each is said once."""
        news = []
        for bed in {bed for bed, _ in self._since}:
            if not self._matters(bed):
                self._empty_ns[bed] = now_ns
        for (bed, source), seen_ns in self._since.items():
            if source not in self._needed:
                continue
            since_ns = max(seen_ns, self._empty_ns.get(bed, 0))
            lost = now_ns - since_ns > LOST_AFTER_NS
            if lost == ((bed, source) in self._failed):
                continue
            (self._failed.add if lost else self._failed.discard)((bed, source))
            state = FactState.FAILED if lost else FactState.OK
            detail = NOT_HEARD if source == SOUND else ""
            news.append(Fact(source, state, since_ns=since_ns, t_ns=now_ns, detail=detail, bed=bed))
        return news
