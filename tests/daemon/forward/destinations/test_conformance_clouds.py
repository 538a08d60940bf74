"""Destinations that keep objects in somebody's cloud."""

import pytest

from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests

CASES = ("s3", "azure", "gcs", "gcs-emulator", "dropbox")

pytestmark = pytest.mark.timeout(400)  # the first one installs azurite
