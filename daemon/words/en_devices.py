"""English: setting a device, and why it was not done."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "device.set.not_attached": "The device is not attached.",
    "device.set.device_gone": "The device went away before it answered. Look at it.",
    "device.set.read_only": "{device} is read-only: it takes no settings from here.",
    "device.set.unknown": "The device has no setting {name}.",
    "device.set.no_number": "Choose a number.",
    "device.set.no_date": "Choose a day, as 2026-01-15.",
    "device.set.not_kept": "The box could not keep it: the disk fails.",
    "fact.maintenance": "MAINTENANCE DUE",
    "fact.maintenance.help": "Have the device serviced, and set its next day.",
    "device.set.out_of_range": "Choose {low} to {high} {unit} in steps of {step}.",
    "device.set.silent": "The device is silent. Nothing was set.",
    "device.set.alarm": "The device shows an alarm ({code}). See to it first; nothing was set.",
    "device.set.busy": "The device is still busy with the setting before this one.",
    "device.set.no_answer": "The device has not confirmed. Look at it: whether it was set is not known.",
    "device.assign.no_bed": "There is no bed {bed}.",
    "device.assign.not_kept": "The device was put to the bed, but the box could not keep it: after a restart it may be back.",
    "device.set.refused": "The device refused: {text}",
}
