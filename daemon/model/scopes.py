"""What a machine's token may be good for: the words of the box API (docs/api.md), one a thing that can be asked."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A token has one or more of these; none follows from another."""

    READ_DEVICES = "read:devices"
    """Devices, how they are doing, whose they are."""
    READ_BEDS = "read:beds"
    """Beds, with the numbers and alarms that stand there now."""
    READ_PATIENTS = "read:patients"
    """Names and what else tells who somebody is, wherever a patient is shown; without it a patient is an id."""
    READ_SESSIONS = "read:sessions"
    """What was recorded, and whether anything of it is missing."""
    READ_METRICS = "read:metrics"
    """Numbers that were measured."""
    READ_ALARMS = "read:alarms"
    """The log of alarms."""
    READ_REPORTS = "read:reports"
    """Reports; their files name the patient and need read:patients too."""
    LIVE_WAVES = "live:waves"
    LIVE_NUMBERS = "live:numbers"
    LIVE_ALARMS = "live:alarms"
    MANAGE_DEVICES = "manage:devices"
    """Claim a device, confirm that, hand it on, give it up."""
