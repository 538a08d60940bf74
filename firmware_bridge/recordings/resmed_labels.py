"""What the labels, annotations and codes on a ResMed card mean, from the S9 to the AirSense 11.

Labels are matched by their beginning, whatever the case: "Leak.2s", "Leak", "Leck" and "Fuites" are one signal. A short
beginning must be the whole of the word ("Ti" is not "TidVol.2s").
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.frames import Quantity

FLOW, THERAPY, OXIMETRY = "flow", "therapy", "oximetry"
"""The three streams of a session: flow and pressure; what the machine made of them every 2 s; its oximeter."""

FILES = {"BRP": FLOW, "PLD": THERAPY, "SAD": OXIMETRY, "SA2": OXIMETRY}
"""Kind of file -> its stream."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A signal: its channel's name, what it measures, its unit where the file has none of ours, its labels' beginnings."""

    name: str
    quantity: Quantity
    unit: str
    labels: tuple[str, ...]


_PRESSURE, _OTHER = Quantity.AIRWAY_PRESSURE, Quantity.OTHER

SIGNALS: dict[str, tuple[Meaning, ...]] = {
    FLOW: (
        Meaning("flow", Quantity.FLOW, "L/s", ("flow", "débit", "fluss", "flujo", "flusso")),
        Meaning("pressure", _PRESSURE, "cmH2O", ("press", "mask pres", "maskpres", "druck", "pression")),
        Meaning("trigger_cycle", _OTHER, "1", ("trigcycevt", "resp event")),
    ),
    THERAPY: (
        Meaning("mask_pressure", _PRESSURE, "cmH2O", ("maskpress", "mask pres", "mask press")),
        Meaning("expiratory_pressure", _PRESSURE, "cmH2O", ("eprpress", "exp pres", "epap")),
        Meaning("inspiratory_pressure", _PRESSURE, "cmH2O", ("insp pres", "ipap")),
        Meaning("pressure", _PRESSURE, "cmH2O", ("press", "therapy pres")),
        Meaning("leak", Quantity.LEAK, "L/s", ("leak", "leck", "lekk", "läck", "fuite", "fuga", "漏气")),
        Meaning("respiration_rate", _OTHER, "/min", ("resprate", "rr", "af", "fr")),
        Meaning("tidal_volume", _OTHER, "L", ("tidvol", "vt", "vc")),
        Meaning("target_ventilation", _OTHER, "L/min", ("tgtvent", "tgmv")),
        Meaning("minute_volume", _OTHER, "L/min", ("minvent", "mv", "vm")),
        Meaning("snore", _OTHER, "1", ("snore",)),
        Meaning("flow_limitation", _OTHER, "1", ("flowlim", "ffl index")),
        Meaning("ie_ratio", _OTHER, "%", ("ieratio", "i:e")),
        Meaning("inspiratory_time", _OTHER, "s", ("b5itime", "ti")),
        Meaning("expiratory_time", _OTHER, "s", ("b5etime", "te")),
    ),
    OXIMETRY: (
        Meaning("pulse_rate", _OTHER, "bpm", ("pulse", "puls", "pouls", "pols", "nabiz")),
        Meaning("spo2", _OTHER, "%", ("spo2",)),
    ),
}

_UNITS = {"l/s": "L/s", "l/min": "L/min", "l": "L", "cmh2o": "cmH2O", "%": "%", "s": "s", "bpm": ""}
"""Units as cards write them -> ours. "bpm" is breaths or beats: the signal's own unit says which."""

EVENTS = (
    ("obstructive ap", "obstructive_apnoea"),
    ("central ap", "central_apnoea"),
    ("clear airway", "central_apnoea"),
    ("hypopn", "hypopnoea"),
    ("arousal", "arousal"),
    ("spo2 desat", "desaturation"),
    ("apn", "apnoea"),
)
"""Beginning of an annotation -> kind of event; the first that fits holds. "apnoea" is one the machine could not class."""

PERIODIC_BREATHING = "periodic_breathing"
STARTS, CSR_START, CSR_END = "recording starts", "csr start", "csr end"

MODES = (
    *("CPAP", "AutoSet", "APAP", "S", "ST", "T"),
    *("VAuto", "ASV", "ASVAuto", "iVAPS", "PAC", "AutoSet for Her"),
)
"""The machine's modes by their code."""


def meaning(stream: str, label: str) -> Meaning | None:
    """The signal with a label in a file of a stream, None where it is not one of ours."""
    low = " ".join(label.split()).casefold()
    for signal in SIGNALS[stream]:
        if any(_begins(low, beginning) for beginning in signal.labels):
            return signal
    return None


def _begins(label: str, beginning: str) -> bool:
    if not label.startswith(beginning):
        return False
    behind = label[len(beginning) :][:1]
    return len(beginning) > 3 or not behind.isalpha()


def unit_of(signal: Meaning, unit: str) -> str:
    """The unit of a signal as units.py writes it, by what its file says; what a file does not say is taken as usual."""
    return _UNITS.get(unit.casefold(), "") or (signal.unit if not unit or unit == "bpm" else unit)


def event_kind(text: str) -> str:
    """The kind of an annotated event, "other" for a text that is not known here."""
    low = " ".join(text.split()).casefold()
    return next((kind for beginning, kind in EVENTS if low.startswith(beginning)), "other")
