"""What analysis says of a data set, worked out once for the file of tests that names it as SETS: files share the cores.

Of the long sets a stated part is analysed here (analysed.py: SAMPLED); all of it by `./dev soak accuracy`.
"""

from __future__ import annotations

import pytest

from tests.accuracy.analysed import SAMPLED, analyse_all


@pytest.fixture(scope="module")
def said(request, recordings, tmp_path_factory):
    """The folder of the lines that were said of the file's SETS."""
    folder = tmp_path_factory.mktemp("said")
    analyse_all(recordings, folder, request.module.SETS, SAMPLED)
    return folder
