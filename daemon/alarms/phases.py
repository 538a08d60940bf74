"""Where an alarm stands and what moves it: the whole transition table, and nothing else.

Phase is the truth about one alarm; what people did to its sound and picture (AUDIO PAUSED, ALARM PAUSED) is apart from it,
in pauses.py, so that no pause can change what is true.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from daemon.model.alarms import Phase


class Stimulus(StrEnum):
    """What can happen to an alarm."""

    ARM = "arm"  # its measurement is valid for the first time
    DISARM = "disarm"  # discharge, or a new patient
    ONSET = "onset"  # the condition is there, its delay is not over
    PERSIST = "persist"  # the condition has been there for its delay
    CLEAR = "clear"  # the condition is gone, past hysteresis; the alarm does not latch
    CLEAR_LATCHING = "clear_latching"  # the same; the alarm latches
    GAP = "gap"  # the source has been bad for longer than a delay may wait
    RISE = "rise"  # its priority rises
    ACKNOWLEDGE = "acknowledge"
    REMIND = "remind"  # it has been acknowledged for long and is still there
    RESET = "reset"  # a person takes away what is latched
    EXPIRE = "expire"  # it has been latched for as long as its row says
    SWITCH_OFF = "switch_off"
    SWITCH_ON = "switch_on"


# "." = stays. The columns are the stimuli, the lines the phases.
_MATRIX = """
phase                 arm       disarm    onset     persist  clear     clear_latching        gap       rise    acknowledge   remind  reset     expire    switch_off  switch_on
disarmed              inactive  .         .         .        .         .                     .         .       .             .       .         .         off         .
inactive              .         disarmed  delaying  active   .         .                     .         .       .             .       .         .         off         .
delaying              .         disarmed  .         active   inactive  inactive              inactive  .       .             .       .         .         off         .
active                .         disarmed  .         .        inactive  latched               .         .       acknowledged  .       .         .         off         .
acknowledged          .         disarmed  .         .        inactive  latched_acknowledged  .         active  .             .       .         .         off         .
latched               .         disarmed  .         active   .         .                     .         .       inactive      .       inactive  inactive  off         .
latched_acknowledged  .         disarmed  .         active   .         .                     .         .       .             .       inactive  inactive  off         .
off                   .         .         .         .        .         .                     .         .       .             .       .         .         .           disarmed
"""


def _read(matrix: str) -> dict[tuple[Phase, Stimulus], Phase]:
    table: dict[tuple[Phase, Stimulus], Phase] = {}
    (_, *stimuli), *lines = (line.split() for line in matrix.strip().splitlines())
    for name, *cells in lines:
        for stimulus, cell in zip(stimuli, cells, strict=True):
            table[Phase(name), Stimulus(stimulus)] = Phase(name if cell == "." else cell)
    return table


TRANSITIONS = MappingProxyType(_read(_MATRIX))
"""(phase, stimulus) -> phase; every pair is there."""

THERE = frozenset({Phase.ACTIVE, Phase.ACKNOWLEDGED})
"""The condition has been found to be there, and not yet to be gone."""

LISTED = THERE | {Phase.LATCHED, Phase.LATCHED_ACKNOWLEDGED}
"""On the screen."""

AT_REST = frozenset({Phase.DISARMED, Phase.INACTIVE, Phase.OFF})
"""Without a timer that runs."""


def after(phase: Phase, stimulus: Stimulus) -> Phase:
    """The next phase."""
    return TRANSITIONS[phase, stimulus]
