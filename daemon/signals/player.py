"""Which sound comes next, in time of samples: one at a time, the highest priority first. Pure.

Rules (docs/alarms.md): a higher priority cuts a lower sound at once; a lower one waits for the end of a burst and leaves a
pause; a burst is cut otherwise only when a person has silenced it; the failure tone cuts everything and goes on until it is
ended. Sample numbers are the clock, so bursts keep their rhythm however the samples are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from daemon.model.alarms import Priority
from daemon.signals.bursts import RATE, Samples, burst, failure_tone, reminder, self_test_tone
from daemon.signals.messages import OnceKind, Playing, Wanted

REPEAT_S: Mapping[Priority, float] = MappingProxyType(
    {Priority.HIGH: 8.0, Priority.MEDIUM: 20.0, Priority.LOW: 30.0}
)
"""From the end of a burst to the next of the same alarm: 2.5 to 15 s, 2.5 to 30 s, over 15 s."""

LOW_REPEATS = 3
"""A low burst is repeated so often; then the picture alone goes on, until a newer alarm."""

APART_S = 2.5
"""Between a burst and another one that does not outrank it."""

BREATH_S = 0.1
FADE_S = 0.01
"""A sound that is cut fades, and the one that outranks it begins after a breath, so that pulses can be counted."""

RANGE_DB = 40.0
"""From volume 100 to volume 0. No volume is silence."""

TEST_DB = -12.0
"""The self-test beside the volume in force."""

FULL_SCALE = 0.9 * 32767
"""Room for the overshoot of a device that resamples."""

_NEVER = 1 << 62


@dataclass(slots=True)
class _Sound:
    """A sound under way: which, and how far. Rank 0 gives way to every alarm; a sound that fades plays NOTHING."""

    playing: Playing
    rank: int
    samples: Samples
    gain: float
    silenced: int

    done: int = 0


class Player:
    """Turns what is `Wanted` into samples. `at` is the number of samples rendered so far."""

    def __init__(self) -> None:
        self.at = 0
        self.tested = ""
        """Id of the last self-test whose sound, or an alarm's burst in its stead, has been rendered to its end."""
        self._wanted = Wanted()
        self._failing = False
        self._sound: _Sound | None = None
        self._reminder = self._test = ""
        self._forget()

    @property
    def playing(self) -> Playing:
        """What is heard; the pauses between an alarm's bursts are its own."""
        if self._failing:
            return Playing.FAILURE
        if self._sound is not None and self._sound.playing is not Playing.NOTHING:
            return self._sound.playing
        sound = self._wanted.sound
        return Playing(sound) if sound is not None and sound is self._last else Playing.NOTHING

    def want(self, wanted: Wanted) -> None:
        """From now on this shall be heard."""
        before, self._wanted = self._wanted, wanted
        if wanted.sound is not before.sound or wanted.newest_ns > before.newest_ns:
            self._fresh, self._bursts = True, 0
        if wanted.once.id != before.once.id:
            if wanted.once.kind is OnceKind.TEST:
                self.test(wanted.once.id)
            else:
                self._reminder = wanted.once.id

    def test(self, id: str) -> None:  # noqa: A002 - the protocol's name
        """Play the self-test's tone between the alarms' bursts; a whole burst serves as well."""
        self._test, self.tested = id, ""

    def fail(self, failing: bool) -> None:
        """Begin or end the failure tone."""
        if failing is not self._failing:
            self._failing = failing
            self._forget()

    def restart(self) -> None:
        """The device lost what it had: whatever is wanted begins anew, at once."""
        self._sound = None
        self._forget()

    def render(self, n: int) -> NDArray[np.int16]:
        """The next `n` samples, int16."""
        out = np.zeros(n, np.float32)
        filled = 0
        while filled < n:
            self._cut()
            if self._sound is None:
                due = self._begin()
                step = min(n - filled, due - self.at)
            else:
                step = min(n - filled, len(self._sound.samples) - self._sound.done)
                part = self._sound.samples[self._sound.done : self._sound.done + step]
                out[filled : filled + step] = self._sound.gain * part
                self._sound.done += step
            filled += step
            self.at += step
            if self._sound is not None and self._sound.done == len(self._sound.samples):
                self._end(self._sound)
        return (FULL_SCALE * out).astype(np.int16)

    def _forget(self) -> None:
        """No burst has been played: whatever is wanted is due."""
        self._last: Priority | None = None
        self._fresh = True
        self._bursts = 0
        self._ended_at = self._free_at = self.at

    def _cut(self) -> None:
        """End the sound under way where the rules say so."""
        sound, wanted = self._sound, self._wanted
        if sound is None or sound.playing is Playing.NOTHING:
            return
        if self._failing is not (sound.playing is Playing.FAILURE):
            cut = True
        elif wanted.sound is not None and wanted.sound.rank > sound.rank:
            cut = sound.rank > 0 or self._due(wanted.sound) <= self.at
        elif sound.playing is Playing.REMINDER:
            cut = wanted.paused
        else:
            lower = wanted.sound is None or wanted.sound.rank < sound.rank
            cut = sound.rank > 0 and lower and wanted.silenced != sound.silenced
        if cut:
            rest = sound.samples[sound.done :][: round(FADE_S * RATE)]
            fade = np.linspace(1.0, 0.0, len(rest), dtype=np.float32)
            self._sound = _Sound(Playing.NOTHING, sound.rank, rest * fade, sound.gain, sound.silenced)
            if sound.rank and not self._failing:
                self._ended_at = self.at + len(rest)

    def _begin(self) -> int:
        """Begin the next sound, if one is due; returns the sample at which something next falls due."""
        if self._failing:
            self._sound = _Sound(Playing.FAILURE, 0, failure_tone(), 1.0, 0)
            return self.at
        wanted, at = self._wanted, self.at
        gain = 10 ** (RANGE_DB * (wanted.volume / 100 - 1) / 20)
        due = _NEVER
        if wanted.sound is not None:
            due = max(self._due(wanted.sound), self._free_at)
            if due <= at:
                self._fresh, self._last = False, wanted.sound
                self._bursts += 1
                samples = burst(wanted.sound, wanted.group)
                self._sound = _Sound(Playing(wanted.sound), wanted.sound.rank, samples, gain, wanted.silenced)
                return at
        once_due = self._free_at if self._last is None else max(self._free_at, self._ended_at + _of(APART_S))
        if self._reminder and not wanted.paused:
            due = min(due, once_due)
            if due <= at:
                self._sound = _Sound(Playing.REMINDER, 0, reminder(), gain, wanted.silenced)
        elif self._test:
            due = min(due, once_due)
            if due <= at:
                quiet = gain * 10 ** (TEST_DB / 20)
                self._sound = _Sound(Playing.TEST, 0, self_test_tone(), quiet, wanted.silenced)
        return max(due, at)

    def _due(self, sound: Priority) -> int:
        """The sample at which the next burst of an alarm is due."""
        if self._last is None:
            return self._ended_at
        if sound is self._last and not self._fresh:
            if sound is Priority.LOW and self._bursts > LOW_REPEATS:
                return _NEVER
            return self._ended_at + _of(REPEAT_S[sound])
        return self._ended_at + _of(BREATH_S if sound.rank > self._last.rank else APART_S)

    def _end(self, sound: _Sound) -> None:
        """A sound has been rendered to its end."""
        self._sound = None
        self._free_at = self.at + _of(BREATH_S)
        if sound.playing is Playing.REMINDER:
            self._reminder = ""
        elif sound.playing is Playing.TEST or (sound.rank and sound.playing is not Playing.NOTHING):
            self.tested, self._test = self._test or self.tested, ""
        if sound.rank and sound.playing is not Playing.NOTHING:
            self._ended_at = self.at


def _of(seconds: float) -> int:
    return round(seconds * RATE)
