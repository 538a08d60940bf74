"""The socket that systemd hands over: only the one that is meant for this process."""

import os

import pytest

from webui.listening import handed_over


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "some", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_a_socket_for_somebody_else_is_left_alone(environment: dict[str, str]) -> None:
    assert handed_over(environment) == []
