"""The live half of the proof: a marked test alarm at the beds, until the loudspeaker and every open screen have confirmed it.

Pure but for the acts: pictures, the loudspeaker's word and the screens' reports come in with a Tick, and it says what has been
confirmed. A bed takes part where no patient's alarm stands, nothing sounds but what is said of the chain itself, and no pause of
all alarms would keep the test silent.
"""

from __future__ import annotations

from collections.abc import Mapping

from daemon.control.messages import ScreensSeen
from daemon.control.proof import Stage, StageName
from daemon.model.alarms import About, Alarm, AlarmPicture, Phase, Priority
from daemon.model.signals import Nanos
from daemon.signals.messages import Heard, Playing, SpeakerState

CHAIN_ROWS = frozenset({"sound_missing", "screen_lost", "test_failed"})
"""What is said of the chain itself does not keep it from being tried."""

TESTS = frozenset(f"test_{priority}" for priority in Priority)
THERE = frozenset({Phase.ACTIVE, Phase.ACKNOWLEDGED})
WITHIN_NS: Nanos = 9_000_000_000
"""So long is waited for confirmations; the test alarm itself stands for 10 s."""

TAKES_NS: Nanos = 900_000_000
"""The device must go on taking samples for so long after the burst began: a device that stands still is known by then."""

_LOUDNESS = {Playing.LOW: 1, Playing.MEDIUM: 2, Playing.HIGH: 3}


def free(pictures: Mapping[str, AlarmPicture]) -> tuple[str, ...]:
    """Beds that can take part."""
    return tuple(bed for bed, picture in pictures.items() if not _taken(picture))


def standing(pictures: Mapping[str, AlarmPicture]) -> frozenset[str]:
    """Occurrences of the alarms that stand, but for tests and what is said of the chain."""
    return frozenset(alarm.occurrence for picture in pictures.values() for alarm in _real(picture))


def begun(pictures: Mapping[str, AlarmPicture], before: frozenset[str]) -> str:
    """The row of a real alarm that stands now and did not before; "" = none."""
    new = (a for picture in pictures.values() for a in _real(picture) if a.occurrence not in before)
    return next((alarm.row for alarm in new), "")


def _real(picture: AlarmPicture) -> list[Alarm]:
    own = CHAIN_ROWS | TESTS
    return [alarm for alarm in picture.alarms if alarm.phase in THERE and alarm.row not in own]


def _taken(picture: AlarmPicture) -> bool:
    if any(not pause.row for pause in picture.pauses):
        return True
    return any(alarm.sounds or alarm.about is About.PATIENT for alarm in _real(picture))


class LiveChain:
    """One test at `beds` since `began_ns`. `speaker`: the box has a loudspeaker; `others`: the loudest that sounds already."""

    def __init__(
        self,
        beds: tuple[str, ...],
        priority: Priority,
        began_ns: Nanos,
        *,
        speaker: bool,
        others: Priority | None,
    ) -> None:
        self._beds = beds
        self._row = f"test_{priority}"
        self._rank = priority.rank
        self._began_ns = began_ns
        self._occurrences: dict[str, str] = {}
        self._playing_ns: Nanos | None = None
        self._speaker_said = "silent"
        self._screens = 0
        self._missing = 0
        self.found: dict[StageName, Stage] = {}
        if not speaker:
            self._cannot("sound", "no_loudspeaker")
        elif others is not None and others.rank >= self._rank:
            self._cannot("sound", "alarms")

    @property
    def over(self) -> bool:
        """Whether everything has been confirmed."""
        return {"engine", "sound", "screens"} <= self.found.keys()

    def look(self, pictures: Mapping[str, AlarmPicture], heard: Heard | None, now_ns: Nanos) -> None:
        """How things stand at a Tick."""
        for bed in self._beds:
            for alarm in pictures[bed].alarms:
                if alarm.row == self._row and alarm.phase is Phase.ACTIVE:
                    self._occurrences[bed] = alarm.occurrence
        if "engine" not in self.found and len(self._occurrences) == len(self._beds):
            self._confirmed("engine", now_ns)
        if "sound" not in self.found and heard is not None and heard.t_ns > self._began_ns:
            self._hear(heard)

    def seen(self, screens: ScreensSeen, now_ns: Nanos) -> None:
        """What the open pages have drawn: each that is in view must have drawn the test of its bed, or of all beds."""
        if "screens" in self.found or not self._occurrences:
            return
        wanted = {bed: {occurrence} for bed, occurrence in self._occurrences.items()}
        wanted[""] = set(self._occurrences.values())
        asked = [screen for screen in screens.screens if screen.visible and screen.bed in wanted]
        late = [s for s in asked if not (s.draws and wanted[s.bed] <= set(s.tests))]
        self._screens, self._missing = len(asked), len(late)
        if asked and not late and len(self._occurrences) == len(self._beds):
            self._confirmed("screens", now_ns, str(len(asked)))

    def end(self) -> None:
        """The time is over: what has not been confirmed has failed, or could not be."""
        if "engine" not in self.found:
            self._failed("engine", "none")
        if "sound" not in self.found:
            self._failed("sound", self._speaker_said)
        if "screens" not in self.found and self._screens:
            self._failed("screens", f"not_shown {self._missing} / {self._screens}")
        elif "screens" not in self.found:
            self._cannot("screens", "no_screen")

    def _hear(self, heard: Heard) -> None:
        """The burst plays, and a little later the device still takes samples at the right pace."""
        state = heard.speaker.state
        if state is not SpeakerState.WELL:
            self._playing_ns, self._speaker_said = None, state.value
            return
        self._speaker_said = "not_played"
        if _LOUDNESS.get(heard.playing, 0) >= self._rank and self._playing_ns is None:
            self._playing_ns = heard.t_ns
        if self._playing_ns is not None and heard.t_ns - self._playing_ns >= TAKES_NS:
            self._confirmed("sound", self._playing_ns)

    def _confirmed(self, name: StageName, t_ns: Nanos, why: str = "") -> None:
        ms = (t_ns - self._began_ns) / 1e6
        self.found[name] = Stage(name=name, state="ok", why=why, ms=ms)

    def _failed(self, name: StageName, why: str) -> None:
        self.found[name] = Stage(name=name, state="failed", why=why)

    def _cannot(self, name: StageName, why: str) -> None:
        self.found[name] = Stage(name=name, state="not_possible", why=why)
