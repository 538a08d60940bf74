"""24 hours of sinus rhythm with wander, muscle noise, mains and touched electrodes, in simulated time: no alarm.

The body changes every ten minutes: another rate, another size of each disturbance, drawn from what a ward day has. The
limits are the default ones; the way is that of `vitald analyse`, in blocks of a minute with a Tick every 100 ms (results
do not depend on the cut).
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from daemon.alarms.limits import Limits
from daemon.cli.alarm_lines import AlarmLines
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import LEADS

HOURS = 24
RATE_HZ = 500
BLOCK_S = 60
BLOCKS_AN_EPISODE = 10
GAIN_MV = 0.001


def run(hours: int = HOURS) -> list[str]:
    """What went wrong, one line each."""
    alarms: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, of_hour in enumerate(pool.map(_hour, range(hours)), 1):
            alarms += of_hour
            print(f"{done} h: {dict(alarms)}", flush=True)
    print(f"{hours} h of sinus rhythm with disturbances: {sum(alarms.values())} alarms {dict(alarms)}")
    return [f"{count} x {row}" for row, count in alarms.items()]


def _hour(number: int) -> Counter[str]:
    """The alarms of one hour, by row."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    body = Patient(RATE_HZ, seed=1000 + number)
    draw = np.random.default_rng(2000 + number)
    channels = tuple(Channel(name, Quantity.ECG, "mV", GAIN_MV, 0.0) for name in LEADS)
    segment = Segment(f"hour-{number}", "1", Stream("S", "ecg", RATE_HZ, channels), "boot", 1, 0)
    pipeline = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    engine = AlarmLines(Limits())
    alarms: Counter[str] = Counter()
    n = BLOCK_S * RATE_HZ
    for block in range(3600 // BLOCK_S):
        if block % BLOCKS_AN_EPISODE == 0:
            _disturb(body, draw)
        counts = np.rint(body.next(n).T / GAIN_MV).astype(np.int32)
        t_ns = block * BLOCK_S * 1_000_000_000
        item = SampleBlock(segment, block * n, t_ns, 1e9 / RATE_HZ, counts, t_ns + BLOCK_S * 1_000_000_000)
        said = engine.push(item, pipeline.push(item))
        alarms.update(str(line["alarm"]) for _, line in said if line["state"] == "on")
    return alarms


def _disturb(body: Patient, draw: np.random.Generator) -> None:
    body.rate_bpm = draw.uniform(58, 105)
    body.wander_mv = draw.choice([0.03, 0.2, 0.5])
    body.muscle_mv = draw.choice([0.004, 0.02, 0.05])
    body.mains_mv = draw.choice([0.0, 0.05, 0.2])
    body.pops_per_hour = draw.choice([0.0, 10.0, 60.0])
    body.pop_mv = draw.choice([0.5, 2.0, 5.0])
