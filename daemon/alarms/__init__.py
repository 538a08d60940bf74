"""Alarms: from findings to what a nurse must know. Pure: no I/O, no clock, no log. See docs/alarms.md."""
