"""The machine itself as Facts: heat, supply voltage, memory, mains, a data partition that cannot be used. The alarm table says which of them is an alarm, and when.

Each is said when it begins and when it is over, with some way between the two, so that a value on the edge does not chatter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.appliance import machine
from daemon.config_hardware import Hardware as Wanted
from daemon.model.signals import Fact, FactState, Nanos
from daemon.signals.gpio import InputLine

log = logging.getLogger(__name__)

HEAT, SUPPLY, MEMORY, POWER, KEEPING = "heat", "supply", "memory", "power", "keeping"
"""Sources of the Facts. POWER: the mains are gone; SUPPLY: what comes is too low a voltage; KEEPING: nothing outlives a restart."""

HOT_C, COOLED_C = 80.0, 75.0
"""A Raspberry Pi slows itself down at 80 to 85 degrees Celsius; amd64 boxes later."""

SHORT_OF_MEMORY, ENOUGH_MEMORY = 0.06, 0.10
"""Share of the memory that can still be had."""

STALLED_PCT, FLUENT_PCT = 20.0, 5.0
"""Share of the last 10 s in which something waited for memory (PSI)."""

LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What tells of the supply: a file, which begins with 0 or 1 as those of power_supply do, or a GPIO line; None where there is none.

    `mains`: 1 while the mains are there. `ending`: 1 when the supply is about to end.
    """

    mains: Path | InputLine | None = None
    ending: Path | InputLine | None = None

    def mains_lost(self) -> bool:
        """Whether the mains are gone. What cannot be read says nothing."""
        return _read(self.mains) == "0"

    def ends(self) -> bool:
        """Whether the supply ends now, so that the box must be brought to rest."""
        return _read(self.ending) == "1"

    def close(self) -> None:
        """Give the lines back: the kernel lends each to one holder."""
        for one in (self.mains, self.ending):
            if isinstance(one, InputLine):
                one.close()


def inputs_of(wanted: Wanted) -> Inputs:
    """The inputs as configured."""

    def line(number: int | None, what: str) -> InputLine | None:
        return None if number is None else InputLine(wanted.gpio_chip, number, f"vitald {what}")

    return Inputs(
        wanted.mains_file or line(wanted.mains_line, "mains"),
        wanted.ending_file or line(wanted.ending_line, "ending"),
    )


class Hardware:
    """`look` now and then; `tell` hears of every Fact that is new."""

    def __init__(
        self,
        inputs: Inputs,
        tell: Callable[[Fact], None],
        now: Callable[[], Nanos],
        root: Path = Path("/"),
    ) -> None:
        self._inputs = inputs
        self._tell = tell
        self._now = now
        self._root = root
        self._failed: dict[str, Nanos] = {}

    def look(self) -> None:
        """Once."""
        now_ns = self._now()
        for source, failed, detail in self._seen():
            known = source in self._failed
            if failed is None or failed == known:
                continue
            if failed:
                self._failed[source] = now_ns
                log.warning("hardware: %s: %s", source, detail)
            else:
                del self._failed[source]
                log.info("hardware: %s: well again", source)
            state = FactState.FAILED if failed else FactState.OK
            self._tell(Fact(source, state, since_ns=now_ns, t_ns=now_ns, detail=detail if failed else ""))

    def _seen(self) -> Iterator[tuple[str, bool | None, str]]:
        """Source, whether it has failed (None: between the two, so it stays as it is), and what is known."""
        heat, bits = machine.temperature_c(self._root), machine.throttled(self._root)
        slowed = bits is not None and bool(bits & (machine.THROTTLED_NOW | machine.SOFT_LIMIT_NOW))
        if heat is not None or bits is not None:
            shown = "" if heat is None else f"{heat:.0f} °C"
            yield HEAT, slowed or _beyond(heat, HOT_C, COOLED_C), f"{shown} slowed down" if slowed else shown
        if bits is not None:
            yield SUPPLY, bool(bits & machine.UNDER_VOLTAGE_NOW), ""
        memory = machine.memory(self._root)
        if memory is not None:
            used = _beyond(1 - memory.available / memory.total, 1 - SHORT_OF_MEMORY, 1 - ENOUGH_MEMORY)
            stalled = _beyond(memory.stalled_pct, STALLED_PCT, FLUENT_PCT)
            short = True if used or stalled else (None if used is None or stalled is None else False)
            yield MEMORY, short, f"{memory.available / 1e6:.0f} MB left"
        if self._inputs.mains is not None:
            yield POWER, self._inputs.mains_lost(), ""
        yield KEEPING, machine.keeps_nothing(self._root), ""


def _beyond(value: float | None, high: float, low: float) -> bool | None:
    """True from `high` on, False up to `low` (and where nothing is known), None between them."""
    if value is None or value <= low:
        return False
    return True if value >= high else None


def _read(source: Path | InputLine | None) -> str:
    """What a file begins with, or "0" or "1" of a line; "" where there is nothing, or it cannot be read."""
    try:
        match source:
            case None:
                return ""
            case InputLine():
                return str(int(source.read()))
            case _:
                with source.open("rb") as file:
                    return file.read(1).decode("ascii", "replace")
    except OSError:
        return ""
