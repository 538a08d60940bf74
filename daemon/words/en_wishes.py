"""English: what clouds wish for devices."""

from __future__ import annotations

WORDS: dict[str, str] = {
    # What a cloud, and a person at the bed, hear of a wish.
    "wish.read_only": "read-only",
    "wish.interrupted": "the box started anew while it was being set: look at the device",
    "wish.older": "older than version {version}, which the box has",
    "wish.another": "version {version} was something else before",
    "wish.gone": "The proposal was withdrawn or changed.",
    "wish.decided": "This was decided already.",
    "wish.refused": "refused at the bedside",
    "wish.no_answer": "the device did not answer in time: look at it",
    "wish.waits": "waits for a person at the bed",
    "wish.being_set": "being set at the device",
    "wish.away": "the device is not here",
    "wish.other_device": "names another device",
    "wish.unknown": "no such setting",
    # The card at a bed.
    "proposals.title": "Proposed settings",
    "proposals.from": "{origin} proposes for {device}",
    "proposals.change": "{name}: {value}",
    "proposals.change_from": "{name}: {value}, now {present}",
    "proposals.none": "Nothing is proposed.",
    "proposals.accept": "Accept",
    "proposals.refuse": "Refuse",
    "proposals.about": "Nothing changes at the device before somebody here accepts it.",
    "proposals.done.applied": "Set at the device.",
    "proposals.done.refused": "Refused; the sender is told.",
    "proposals.failed": "Not set: {reason}",
    "proposals.under_way": "Being set at the device …",
    "setting.target_pressure_cm_h2o": "Target pressure (cmH2O)",
    "setting.humidity_level": "Humidity level",
    "setting.flow_rate_lpm": "Oxygen flow (L/min)",
    "setting.night_mode": "Night mode",
    "setting.maintenance_due_date": "Maintenance due",
    "setting.on": "on",
    "setting.off": "off",
}
