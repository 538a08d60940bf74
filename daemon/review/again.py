"""The computation done again: the analysis of the bed over the stored samples around a moment, and the alarms over that.

The same pipeline as at the bed, begun as long before the moment as what is asked for reaches back. It begins elsewhere than
the live one did, so filters and adaptive levels agree to within what they have forgotten by then, and not to the last bit:
what is compared says how far apart both are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits, Settings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.ecg.trees import ClassTable, QrsTable
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Finding
from daemon.model.signals import TICK_NS, Command, Fact, Item, LeadState, Nanos, Reading, SampleBlock, Tick
from daemon.review.stored import Said, blocks, happenings, numbers
from daemon.store.reader import Reader

S: Nanos = 1_000_000_000

MEMORY_S: dict[str, float] = {
    **dict.fromkeys(("sdnn", "rmssd", "pnn50", "lf_power", "hf_power", "lf_hf"), 375.0),
    **dict.fromkeys(("heart_rate", "rr_interval", "pr_interval", "qrs_duration", "qt_interval"), 45.0),
    **dict.fromkeys(("qtc_bazett", "qtc_fridericia", "qtc_framingham", "qtc_hodges"), 60.0),
    **dict.fromkeys(("p_axis", "qrs_axis", "t_axis", "respiration_rate"), 105.0),
    **dict.fromkeys(("p_amplitude", "q_amplitude", "r_amplitude", "s_amplitude", "t_amplitude"), 75.0),
    **dict.fromkeys(("st_j", "st_j60", "st_j80", "st_slope"), 75.0),
    **dict.fromkeys(("pulse_rate", "pleth_quality"), 30.0),
    **dict.fromkeys(
        ("minute_volume", "tidal_volume", "expired_volume", "inspiratory_time", "since_breath"), 150.0
    ),
    **dict.fromkeys(("flow_limitation", "snore", "leak", "total_leak"), 300.0),
    **dict.fromkeys(("o2_purity", "o2_flow"), 60.0),
}
"""How long before its moment the analysis must begin to say a number again. What is not here adds up for hours, or since the
device was attached."""

BEAT_S, ALARM_S = 45.0, 120.0
AFTER_NS: Nanos = 6 * S
"""What is about a moment may be said so much later."""

STANDING_NS: Nanos = 3600 * S
"""How far back states are looked for that were said once."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The tables that the analysis of the bed runs with."""

    qrs: QrsTable
    classes: ClassTable
    further: Tables

    @classmethod
    def loaded(cls) -> Learned:
        """Those of this version."""
        return cls(load_qrs_table(), load_class_table(), Tables(load_waves_table(), load_rhythm_table()))


def findings(
    reader: Reader, boot: str, bed: str, from_ns: Nanos, until_ns: Nanos, learned: Learned
) -> list[Finding]:
    """What the analysis says of a span, in the order in which it was due."""
    items: list[tuple[Nanos, Item]] = [
        (block.arrived_ns, block)
        for trace in reader.read(boot, from_ns, until_ns, bed=bed)
        for block in blocks(trace)
    ]
    for due_ns, one in happenings(reader, boot, bed, from_ns, until_ns):
        if isinstance(one, LeadState):
            items.append((due_ns, one))
    pipeline = Pipeline(learned.qrs, None, learned.classes, learned.further)
    said = [found for _, item in sorted(items, key=lambda due: due[0]) for found in pipeline.push(item)]
    return sorted(said, key=lambda found: found.due_ns)


def alarms(
    reader: Reader,
    boot: str,
    bed: str,
    from_ns: Nanos,
    until_ns: Nanos,
    own: Settings,
    found: Sequence[Finding],
) -> list[Change]:
    """The alarms that begin in a span under these limits, from findings computed again and from what devices said."""
    engine = AlarmEngine(Limits(own=own))
    said: list[tuple[Nanos, Item | Finding]] = [(one.due_ns, one) for one in found]
    said += [due for due in happenings(reader, boot, bed, from_ns - STANDING_NS, until_ns) if _is_told(due)]
    said += [due for due in numbers(reader, boot, bed, from_ns, until_ns) if isinstance(due[1], Reading)]
    said.sort(key=lambda due: due[0])
    out: list[Change] = []
    at = 0
    for t_ns in range(-(-from_ns // TICK_NS) * TICK_NS, until_ns, TICK_NS):
        tick = Tick(t_ns)
        now: list[Finding] = []
        while at < len(said) and said[at][0] <= t_ns:
            one = said[at][1]
            if isinstance(one, Fact | Reading | LeadState | SampleBlock) or not hasattr(one, "due_ns"):
                engine.step(one)
            else:
                now.append(one)  # type: ignore[arg-type]  # what has one is a finding
            at += 1
        out += engine.step(tick, now)
    return [change for change in out if change.kind is ChangeKind.BEGAN]


def _is_told(said: Said) -> bool:
    """Items alone, and no acts: findings are computed again, and a person's pauses are not what is asked for."""
    return not hasattr(said[1], "due_ns") and not isinstance(said[1], Command)
