"""Who may do what: the one table. Pages, sockets and the control socket ask it; `docs/security.md` is made from it.

What must work with nobody signed in at the bed (waves, alarms, silencing them) is the role SCREEN's; what a browser elsewhere
may do before anybody has signed in is NOBODY's. Everything that is not in the table is refused.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Roles of people, and the two of screens at which nobody has signed in."""

    NOBODY = "nobody"
    """A browser elsewhere, before somebody signs in."""
    SCREEN = "screen"
    """The box's own screen at the bed (the loopback address), nobody signed in."""
    VIEWER = "viewer"
    NURSE = "nurse"
    CLINICIAN = "clinician"
    TECHNICIAN = "technician"
    ADMIN = "admin"


PEOPLE = (Role.VIEWER, Role.NURSE, Role.CLINICIAN, Role.TECHNICIAN, Role.ADMIN)
"""The roles that a person can be given."""


class May(StrEnum):
    """What can be permitted. A route of the pages and an act on the control socket needs exactly one of these."""

    ENTER = "enter"
    """Sign in and out, first set-up, the page on trusting this box, scripts and styles."""
    WATCH = "watch"
    """Live waves, numbers, alarms and their strips; who is at which bed."""
    SILENCE = "silence"
    """Acknowledge and pause alarms, test the sound, choose how the screen shows waves."""
    SEE_DEVICES = "see_devices"
    """What is attached, and how it is doing. No patient's data."""
    LOOK_BACK = "look_back"
    """What was recorded: trends, nights, sessions, gaps, why a number is what it is."""
    CARE = "care"
    """Admit, discharge, move, begin and end recordings, set alarm limits, decide what a cloud proposes."""
    SET_DEVICES = "set_devices"
    """Set a therapy device; say which device belongs to which bed."""
    MAKE_REPORTS = "make_reports"
    """Make, read and print reports."""
    CONFIRM = "confirm"
    """Confirm a report's statements, edit their text."""
    EXPORT = "export"
    """Take recordings out of the box in other formats."""
    IMPORT = "import"
    """Bring the nights on a device's card into the history."""
    ASK_ASSISTANT = "ask_assistant"
    """Send numbers without a name to the assistant, where one is configured."""
    SEE_TECHNICAL = "see_technical"
    """Clouds' queues, crash reports, the box's own state. No patient's data."""
    SERVICE = "service"
    """Certificates, clouds' quarantine, settings of the box that touch no alarm."""
    SET_WARD = "set_ward"
    """Ward defaults, settings of the pages and sounds for everybody."""
    MANAGE_PEOPLE = "manage_people"
    """Users and their roles, machine tokens, the audit trail."""


_ENTRY = frozenset({May.ENTER})
_SCREEN = _ENTRY | {May.WATCH, May.SILENCE, May.SEE_DEVICES}
_VIEWER = _ENTRY | {May.WATCH, May.SEE_DEVICES, May.LOOK_BACK}
_NURSE = _VIEWER | {
    May.SILENCE,
    May.CARE,
    May.SET_DEVICES,
    May.MAKE_REPORTS,
    May.IMPORT,
    May.ASK_ASSISTANT,
    May.SEE_TECHNICAL,
}
_CLINICIAN = _NURSE | {May.CONFIRM, May.EXPORT}
_TECHNICIAN = _ENTRY | {May.SEE_DEVICES, May.SEE_TECHNICAL, May.SERVICE}
_ADMIN = _VIEWER | {May.SEE_TECHNICAL, May.SERVICE, May.SET_WARD, May.MANAGE_PEOPLE}

PERMITTED: dict[Role, frozenset[May]] = {
    Role.NOBODY: _ENTRY,
    Role.SCREEN: _SCREEN,
    Role.VIEWER: _VIEWER,
    Role.NURSE: _NURSE,
    Role.CLINICIAN: _CLINICIAN,
    Role.TECHNICIAN: _TECHNICIAN,
    Role.ADMIN: _ADMIN,
}
"""The table. A person at the box's own screen has what the screen has besides (`may`): nobody loses the silence key by signing in."""


VERBS: dict[str, May] = {
    # the screen of a bed
    "display": May.SILENCE,
    # alarms
    "acknowledge": May.SILENCE,
    "reset": May.SILENCE,
    "audio_pause": May.SILENCE,
    "audio_pause_cancel": May.SILENCE,
    "alarm_pause": May.SILENCE,
    "alarm_pause_cancel": May.SILENCE,
    "test": May.SILENCE,
    "alarm_off": May.CARE,
    "alarm_on": May.CARE,
    "limits": May.CARE,
    # patients and sessions
    "admit": May.CARE,
    "discharge": May.CARE,
    "move": May.CARE,
    "start": May.CARE,
    "end": May.CARE,
    # what a cloud proposes
    "accept": May.CARE,
    "refuse": May.CARE,
    # devices
    "set_device": May.SET_DEVICES,
    "assign_device": May.SET_DEVICES,
}
"""What each verb of an act needs. The pages ask it, and the daemon again. A verb without a row is refused."""


def may(role: Role, what: May, *, at_bedside: bool = False) -> bool:
    """Whether `role` may do it; `at_bedside`: from the box's own screen."""
    return what in PERMITTED[role] or (at_bedside and what in PERMITTED[Role.SCREEN])
