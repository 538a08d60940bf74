"""Destinations that take messages."""

from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests

CASES = ("rest", "batch", "mqtt")
