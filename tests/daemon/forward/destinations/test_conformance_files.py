"""Destinations that keep files, on a disk or behind a login."""

from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests

CASES = ("folder", "stick", "sftp", "ftp")

del test_a_lost_reply_is_again_and_then_done_once  # noqa: F821 - none of these has one reply to one request
