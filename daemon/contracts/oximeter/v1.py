"""Pulse oximeter messages, version 1. The seeds have none: these are ours."""

from __future__ import annotations

from daemon.contracts.fields import Body, Percent, Positive


class Metrics(Body):
    """What the oximeter says. `perfusion_pct` is the perfusion index."""

    spo2_pct: Percent | None = None
    pulse_bpm: Positive | None = None
    perfusion_pct: Positive | None = None
