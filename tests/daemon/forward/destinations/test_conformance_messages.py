"""Destinations that take messages."""

from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests

CASES = ("rest", "batch", "mqtt")

del test_a_large_report_is_never_in_memory_as_a_whole  # noqa: F821 - the servers of two are in this process, one takes none
