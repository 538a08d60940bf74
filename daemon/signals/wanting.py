"""From the alarms of all beds to what one loudspeaker shall play. Pure; used by the daemon."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.model.alarms import AlarmPicture, Change, ChangeKind, Priority
from daemon.model.signals import Nanos
from daemon.signals.bursts import GENERAL
from daemon.signals.messages import Once, OnceKind, Wanted

SILENCING = frozenset(
    {
        ChangeKind.ACKNOWLEDGED,
        ChangeKind.AUDIO_PAUSED,
        ChangeKind.ALARM_PAUSED,
        ChangeKind.LIMITS_SET,
        ChangeKind.RESET,
        ChangeKind.DISCHARGED,
    }
)
"""Acts of a person after which a burst that is no longer wanted is cut. One whose condition ended is played to its end."""


class Wanting:
    """The pictures of all beds, as one `Wanted`. `volume` 0..100; without `melodies` every cause sounds alike."""

    def __init__(self, volume: int, *, melodies: bool = False) -> None:
        self.volume = volume
        self.melodies = melodies
        self._beds: dict[str, AlarmPicture] = {}
        self._silenced = 0
        self._once = Once()

    def take(self, bed: str, picture: AlarmPicture, changes: Iterable[Change]) -> None:
        """How things stand at a bed now, and what changed."""
        self._beds[bed] = picture
        for change in changes:
            self._silenced += change.kind in SILENCING or _ends_test(change)
            if change.kind is ChangeKind.REMINDED:
                self._once = Once(id=f"{bed}/{change.occurrence}/{change.due_ns}", kind=OnceKind.REMINDER)

    def test(self, id: str) -> None:  # noqa: A002 - the protocol's name
        """Ask for a self-test; its result comes under this id."""
        self._once = Once(id=id, kind=OnceKind.TEST)

    @property
    def wanted(self) -> Wanted:
        """What shall be heard now: the highest priority of all beds, with the cause of the bed where it is newest."""
        newest: Nanos = 0
        group = GENERAL
        sound = _highest(picture.sound for picture in self._beds.values())
        for picture in self._beds.values():
            if sound is None or picture.sound is not sound:
                continue
            began = [a.active_ns for a in picture.alarms if a.sounds and a.priority is sound]
            if max(began, default=0) >= newest:
                newest, group = max(began, default=0), picture.group
        return Wanted(
            sound=sound,
            group=group if self.melodies else GENERAL,
            newest_ns=newest,
            silenced=self._silenced,
            shown=_highest(picture.worst for picture in self._beds.values()),
            paused=any(not pause.row for picture in self._beds.values() for pause in picture.pauses),
            volume=self.volume,
            once=self._once,
        )


def _ends_test(change: Change) -> bool:
    """A test that was ended before its time: a real alarm need not wait for the rest of its burst."""
    return change.kind is ChangeKind.TESTED and change.seconds == 0


def _highest(priorities: Iterable[Priority | None]) -> Priority | None:
    return max((p for p in priorities if p is not None), key=lambda p: p.rank, default=None)
