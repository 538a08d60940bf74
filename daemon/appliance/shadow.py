"""A bed that belongs to nobody: a board's bytes through decoder, analysis and alarm engine in simulated time, beside the live beds.

The parts are those of the beds, each made anew; nothing of it is shown, sounded or stored. It works in slices of one item and
rests as long as it has worked, so that what is live never waits for more than one item.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from daemon.acquisition.device import Counters, Device
from daemon.alarms.engine import AlarmEngine
from daemon.appliance import reference_ecg
from daemon.bedside import Analysis
from daemon.control.proof import Stage, StageName
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Finding, Metric
from daemon.model.signals import Item, Nanos, SampleBlock, Tick
from firmware_bridge.boards import BOARDS, Board
from firmware_bridge.boards.dm_ecg import FRAME_BYTES, RATE_HZ

NAME = "proof"
PIECE_NS: Nanos = 20_000_000
TICK_NS: Nanos = 100_000_000
WITHIN_S = 10.0
"""ASYSTOLE stands so soon after the last beat, or `MARGIN_S` after the gap that is set, where that is later."""

MARGIN_S = 6.0
RATE_OFF = 0.05
"""The heart rate may be so far, as a share, from that of the reference."""

ROW = "asystole"
_SLOW, _FAST = ("hr_low", "extreme_brady"), ("hr_high", "extreme_tachy")

Rest = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Noted:
    """What has come of the bytes. Times are s of simulated time since the first byte."""

    samples: int = 0
    rate_s: float | None = None
    rate: float | None = None
    stood: dict[str, float] = field(default_factory=dict)
    early: str = ""
    broke: str = ""


class Shadow:
    """One run. `engines`: for each bed a fresh engine with its limits; `data` are the board's bytes."""

    def __init__(
        self,
        analysis: Analysis,
        engines: Mapping[str, AlarmEngine],
        *,
        board: Board | None = None,
        data: bytes | None = None,
        rest: Rest = asyncio.sleep,
    ) -> None:
        self._analysis = analysis
        self._engines = engines
        self._board = board or BOARDS[reference_ecg.KIND].board({})
        self._data = data
        self._rest = rest
        self._noted = _Noted()
        self._counters = Counters()
        gaps = [engine.limits.of(ROW)["gap_s"] for engine in engines.values()]
        self._within_s = max(WITHIN_S, max(gaps, default=0.0) + MARGIN_S)

    async def run(self, goes_on: Callable[[], bool] = lambda: True) -> list[Stage]:
        """The stages decoder, analysis and alarm; none where `goes_on` came to say no. Never raises."""
        noted = self._noted
        began = time.perf_counter()
        at = "decoder"
        try:
            data = reference_ecg.frames(self._length_s) if self._data is None else self._data
            items: list[Item] = []
            device = Device(NAME, NAME, self._board, NAME, self._counters, items.append)
            step = round(PIECE_NS * RATE_HZ / 1e9) * FRAME_BYTES
            for count, begin in enumerate(range(0, len(data), step), start=1):
                at = "decoder"
                device.feed(data[begin : begin + step], count * PIECE_NS)
                device.flush()
                if count * PIECE_NS % TICK_NS == 0:
                    items.append(Tick(count * PIECE_NS))
                for item in items:
                    at = "analysis"
                    worked = time.perf_counter()
                    findings = self._analysis.push(item)
                    at = "alarm"
                    self._judge(item, findings)
                    await self._rest(time.perf_counter() - worked)
                    if not goes_on():
                        return []
                items.clear()
                if len(noted.stood) == len(self._engines) or noted.early:
                    break
        except Exception as error:  # noqa: BLE001 - whatever breaks here would break at a bed: that is the result
            noted.broke = f"{at} {type(error).__name__}"
        return self._stages((time.perf_counter() - began) * 1e3)

    @property
    def _length_s(self) -> float:
        return reference_ecg.LAST_BEAT_S + self._within_s + 0.1

    def _judge(self, item: Item, findings: list[Finding]) -> None:
        noted = self._noted
        if isinstance(item, SampleBlock):
            noted.samples += int(item.counts.shape[1])
        for finding in findings:
            if isinstance(finding, Metric) and finding.name == "heart_rate" and finding.value is not None:
                noted.rate = finding.value
                noted.rate_s = noted.rate_s or finding.due_ns / 1e9
        for bed, engine in self._engines.items():
            for change in engine.step(item, findings):
                if change.kind is ChangeKind.BEGAN:
                    self._began(bed, engine, change)

    def _began(self, bed: str, engine: AlarmEngine, change: Change) -> None:
        after_s = change.due_ns / 1e9 - reference_ecg.LAST_BEAT_S
        if change.row == ROW and after_s > 0:
            self._noted.stood.setdefault(bed, after_s)
        elif after_s <= 0 and change.row not in _by_limits(engine):
            self._noted.early = change.row

    def _stages(self, took_ms: float) -> list[Stage]:
        """Each stage is judged by what it gave; what comes after one that failed could not be tried."""
        noted = self._noted
        broke, _, how = noted.broke.partition(" ")
        rate = noted.rate_s is not None and abs((noted.rate or 0) / reference_ecg.BPM - 1) <= RATE_OFF
        late = [bed for bed in self._engines if noted.stood.get(bed, self._within_s + 1) > self._within_s]
        alarm = f"early {noted.early}" if noted.early else f"none {', '.join(late)}" if late else ""
        damaged = self._counters.bytes_damaged + self._counters.samples_lost
        decoder = f"damaged {damaged}" if damaged else "" if noted.samples else "no_samples"
        found: tuple[tuple[StageName, str, float | None], ...] = (
            ("decoder", decoder, took_ms),
            ("analysis", "" if rate else "no_rate", _ms(noted.rate_s)),
            ("alarm", alarm, _ms(max(noted.stood.values(), default=None))),
        )
        stages: list[Stage] = []
        for name, fault, ms in found:
            why = f"broke {how}" if name == broke else fault
            if any(stage.state != "ok" for stage in stages):
                stages.append(Stage(name=name, state="not_possible", why="not_reached"))
            else:
                stages.append(Stage(name=name, state="failed" if why else "ok", why=why, ms=ms))
        return stages


def _by_limits(engine: AlarmEngine) -> set[str]:
    """Alarms that this bed's limits ask for while the reference beats."""
    bpm, limits = reference_ecg.BPM, engine.limits
    slow = {row for row in _SLOW if bpm < limits.of(row)["below"]}
    return slow | {row for row in _FAST if bpm > limits.of(row)["above"]}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
