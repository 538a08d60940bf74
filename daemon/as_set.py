"""What is set takes effect in the daemon: language, sounds, the filters of each bed, the ward's limits of alarms."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from daemon.alarms.watch import Watch
from daemon.config import Config
from daemon.model.ids import uuid7
from daemon.model.signals import Command, Nanos
from daemon.settings import Held
from daemon.signals.wanting import Wanting
from daemon.words import speak

FILTERS = ("mode", "mains_hz", "cleaning")


class AsSet:
    """`alarms` of each bed; `obey` puts a Command through its bed; `here`: the beds at which a patient is."""

    def __init__(
        self,
        config: Config,
        alarms: Callable[[], Mapping[str, Watch]],
        wanting: Wanting,
        *,
        obey: Callable[[Command], object],
        here: Callable[[], Container[str]],
        now: Callable[[], Nanos],
        utc_ns: Callable[[], int],
    ) -> None:
        self._config = config
        self._alarms = alarms
        self._wanting = wanting
        self._obey = obey
        self._here = here
        self._now = now
        self._utc_ns = utc_ns
        self.limits = Held().limits
        """The ward's own, for whoever makes an engine."""

    def apply(self, before: Held, held: Held) -> None:
        """Something is set otherwise than before."""
        ward = held.of()
        speak(ward["language"])
        self._wanting.volume = int(ward["volume"] or self._config.sound.volume)
        melodies = ward["melodies"] or str(self._config.sound.melodies).lower()
        self._wanting.melodies = melodies == "true"
        self.limits = held.limits
        if held.limits != before.limits:
            for bed, watch in self._alarms().items():
                watch.adopt(held.limits, pinned=bed in self._here())
        for bed in self._config.beds:
            self._filter(bed, before.of(bed), held.of(bed))

    def _filter(self, bed: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """What a person has chosen at the bed since stands until its setting changes."""
        configured = self._config.beds[bed].display.model_dump()
        values = {}
        for name in FILTERS:
            if before[name] != now[name]:
                values[name] = now[name] or str(configured[name]).lower()
        if values:
            chosen = tuple(sorted(values.items()))
            self._obey(Command(uuid7(self._utc_ns()), self._now(), bed, "settings", "display", chosen))
