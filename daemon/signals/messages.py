"""What travels between the daemon and the sound process: JSON lines on a Unix socket, version 1 (`v`).

The daemon says `Wanted`, the whole of what shall be heard, at every change and at least once a second; each one is a
heartbeat. The sound process answers `Heard`, what it really does, to each and once a second besides. Times are ns of
CLOCK_BOOTTIME, which both processes share.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.model.alarms import Priority
from daemon.model.signals import Nanos

LARGEST_LINE = 8192

HEARTBEAT_NS: Nanos = 1_000_000_000
"""The longest time between two `Wanted` of a daemon that is well."""

SILENT_AFTER_NS: Nanos = 3_000_000_000
"""Without a `Wanted` for so long the sound process sounds the failure tone; it is heard within 5 s of the last one."""


class OnceKind(StrEnum):
    """Sounds that are played once for each id."""

    REMINDER = "reminder"
    TEST = "test"


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a later version may say more

    v: Literal[1] = 1


class Once(_Message):
    """A sound to be played once; the same id is never played twice. "" asks for nothing."""

    id: str = ""
    kind: OnceKind = OnceKind.REMINDER


class Wanted(_Message):
    """All that shall be heard now.

    `newest_ns`: when the newest of the alarms that sound became active: a later one is heard soon. `silenced`: grows with every
    act of a person that takes sound away: a burst that is no longer wanted is then cut; without one it plays to its end.
    `shown`: the worst condition there is, heard or not, for the lamp. `volume` 0..100 is 40 dB.
    """

    type: Literal["wanted"] = "wanted"
    n: int = 0
    sound: Priority | None = None
    group: str = "general"
    newest_ns: Nanos = 0
    silenced: int = 0
    shown: Priority | None = None
    paused: bool = False
    volume: Annotated[int, Field(ge=0, le=100)] = 70
    once: Once = Once()


class Playing(StrEnum):
    """What comes out of the loudspeaker; the pause between two bursts of an alarm belongs to the alarm."""

    NOTHING = "nothing"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    REMINDER = "reminder"
    TEST = "test"
    FAILURE = "failure"


class SpeakerState(StrEnum):
    """How the way to the loudspeaker is doing."""

    OPENING = "opening"
    WELL = "well"  # the device takes samples at the pace at which they sound
    NO_PROGRAM = "no_program"  # aplay is not installed
    NO_DEVICE = "no_device"
    BUSY = "busy"  # another program holds the device
    DENIED = "denied"
    ENDED = "ended"  # aplay ended by itself
    STALLED = "stalled"  # the device takes no samples
    TOO_FAST = "too_fast"  # samples vanish faster than they can sound: no real device


class Speaker(_Message):
    """State of the device since `since_ns`; `detail` is what the player program said. Counts are since the process started."""

    state: SpeakerState = SpeakerState.OPENING
    since_ns: Nanos = 0
    detail: str = ""
    underruns: int = 0
    restarts: int = 0


class SelfTest(_Message):
    """The last self-test: at start its id is "start", else that of the `Once` that asked. `why` "" when it was passed.

    It shows that the device took the samples of a sound at the right pace. It does not hear the loudspeaker.
    """

    id: str
    t_ns: Nanos
    passed: bool
    why: str = ""


class Heard(_Message):
    """What the sound process does.

    `n` answers the last `Wanted`; `failures` counts failure tones since it started; `output_fault` is why lamp or nurse call
    do not work.
    """

    type: Literal["heard"] = "heard"
    n: int = 0
    t_ns: Nanos
    playing: Playing = Playing.NOTHING
    speaker: Speaker = Speaker()
    self_test: SelfTest | None = None
    failures: int = 0
    output_fault: str = ""
