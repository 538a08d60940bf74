"""Whether therapy is running: pressure stands at a mask that someone breathes in.

On: at least `ON_P` for `ON_S`, with a breath (without a pressure channel the breath alone). Off: pressure below `OFF_P` for
`OFF_S`, no breath for `UNWORN_S` while more than `UNWORN_LPM` escapes, none for `WITHOUT_BREATH_S` whatever the leak (an
apnoea of a minute is no end of therapy), the device's own word that the mask is off, or nothing heard for `SILENT_S`. It
stopped when the last of what it needs was there: that time is said.
"""

from __future__ import annotations

from dataclasses import dataclass

ON_P, OFF_P = 3.0, 2.0  # cmH2O
ON_S, OFF_S, SILENT_S = 5, 10, 10
UNWORN_S, UNWORN_LPM = 60, 60.0
WITHOUT_BREATH_S = 300


@dataclass(frozen=True, slots=True)
class Turned:
    """Therapy began (`on`) or stopped at mean `at`. `cause`: "pressure", "mask_off", "no_breath", "no_data"; "" where it began."""

    on: bool
    at: int
    cause: str = ""


class Therapy:
    """Takes a second at a time; `n` means make one."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.on = False
        self.begin()

    def begin(self) -> None:
        """What comes next does not join what was before."""
        self._high = 0
        self._low_from: int | None = None
        self._breath_at: int | None = None

    def step(
        self, now: int, pressure: float | None, breath_at: int | None, leak_lpm: float, mask_off: bool
    ) -> Turned | None:
        """A second that ends at mean `now`: mean pressure, the end of the last breath in it, and the leak."""
        if breath_at is not None:
            self._breath_at = breath_at
        self._high = self._high + 1 if pressure is None or pressure >= ON_P else 0
        if pressure is not None and pressure < OFF_P:
            self._low_from = now - self._n if self._low_from is None else self._low_from
        else:
            self._low_from = None
        if not self.on:
            return self._starts(now, mask_off)
        return self._stops(now, leak_lpm, mask_off)

    def _starts(self, now: int, mask_off: bool) -> Turned | None:
        breathed = self._breath_at is not None and now - self._breath_at <= 10 * self._n
        if self._high < ON_S or not breathed or mask_off:
            return None
        self.on = True
        return Turned(True, now)

    def _stops(self, now: int, leak_lpm: float, mask_off: bool) -> Turned | None:
        if mask_off:
            return self.stop(now, "mask_off")
        if self._low_from is not None and now - self._low_from >= OFF_S * self._n:
            return self.stop(self._low_from, "pressure")
        since = now if self._breath_at is None else self._breath_at
        silent = now - since
        if silent >= UNWORN_S * self._n and leak_lpm > UNWORN_LPM:
            return self.stop(since, "mask_off")
        if silent >= WITHOUT_BREATH_S * self._n:
            return self.stop(since, "no_breath")
        return None

    def stop(self, at: int, cause: str) -> Turned | None:
        """It has stopped at mean `at`; None where it had not begun."""
        if not self.on:
            return None
        self.on = False
        self._high, self._breath_at = 0, None
        return Turned(False, at, cause)
