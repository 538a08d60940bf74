"""docs/network.md against the code: defaults of ports and addresses, kinds of destinations, which units have a network."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from daemon.config import Assistant, Config, Destination, Forward, Mail, Web
from daemon.forward.assistant_wire import GEMINI_URL
from daemon.forward.destinations.kinds import KINDS
from daemon.forward.probing import address

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/network.md").read_text(encoding="utf-8")


def rows(heading):
    """Cells of the rows below a heading, of all its tables."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def unit(name):
    """All settings of a unit, each with its last value."""
    made = configparser.RawConfigParser(strict=False, interpolation=None, allow_no_value=True)
    made.optionxform = str
    made.read_string((ROOT / "systemd" / name).read_text(encoding="utf-8"))
    return {key: value for section in made.sections() for key, value in made.items(section)}


def kinds():
    return {row[0].strip("`"): row for row in rows("What goes out") if row[0].strip("`") in KINDS}


def test_the_pages_listen_where_the_page_says():
    web = Web()
    row, encrypted = (row for row in rows("What listens") if "vitald-web.socket" in row[1])

    assert f"TCP `{web.host}:{web.port}`" in row[2]
    assert f"`web.tls_port` ({web.tls_port})" in encrypted[2]
    assert (web.tls, web.is_encrypted) == (True, False)
    assert encrypted[5] == "1.2 or newer"
    assert unit("vitald-web.socket")["ListenStream"] == f"{web.host}:{web.port}"
    assert "loopback, link-local and private" in row[4]
    assert unit("vitald-web.socket")["IPAddressDeny"] == "any"


def test_the_unix_sockets_are_those_of_the_configuration():
    config = Config()
    wanted = {config.box.socket, config.sound_socket, config.work_socket, config.forward_socket}
    told = {Path(path) for path in re.findall(r"`(/run/[^`]+\.sock)`", PAGE)}

    assert told == wanted


def test_every_socket_that_code_opens_is_in_the_table():
    opens = re.compile(
        r"TCPSite|SockSite|UnixSite|start_unix_server|start_server\(|create_server\(|with listening\("
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ("daemon", "webui", "firmware_bridge")
        for path in (ROOT / room).rglob("*.py")
        if opens.search(path.read_text(encoding="utf-8"))
    }

    assert found == {
        "daemon/control/server.py",
        "daemon/control/unix.py",  # how the daemon, the forwarder and the worker listen
        "daemon/forward/status.py",
        "daemon/signals/loudspeaker.py",
        "daemon/worker.py",
        "webui/listening.py",
        "firmware_bridge/simulators/control.py",  # of `vitald demo` and `vitald replay`
    }


def test_only_the_forwarder_and_the_health_check_have_a_network():
    with_one = {
        path.stem
        for path in (ROOT / "systemd").glob("vitald*.service")
        if unit(path.name).get("PrivateNetwork") != "yes"
    }

    assert with_one == {"vitald-forward", "vitald-health", "vitald-cert"}
    assert unit("vitald-cert.service")["IPAddressDeny"] == "any"
    assert "IPAddressAllow" not in unit("vitald-cert.service")


def test_every_kind_of_destination_is_in_the_table_once():
    assert set(kinds()) == set(KINDS)


@pytest.mark.parametrize("kind", ["mqtt", "mllp", "sftp", "ftp"])
def test_default_ports_are_those_of_the_kinds(kind):
    port = KINDS[kind].options.model_fields["port"].default
    assert f"TCP {port}" in kinds()[kind][2]
    assert (asked := address(Destination(kind=kind, host="HOST"))).port == port
    assert asked.host == "HOST"


@pytest.mark.parametrize("kind", ["azure", "gcs", "s3", "sns", "dropbox"])
def test_default_hosts_are_those_that_are_asked(kind):
    topic = "arn:aws:sns:REGION:123456789012:TOPIC"
    asked = address(Destination(kind=kind, account="ACCOUNT", region="REGION", topic=topic))

    assert (asked.port, asked.tls) == (443, True)
    assert asked.host.lower() in kinds()[kind][1].lower()


def test_what_may_be_plain_is_told():
    plain = {
        kind: {
            name for name in ("plain_http", "plain", "tls", "security") if name in known.options.model_fields
        }
        for kind, known in KINDS.items()
    }

    for kind, names in plain.items():
        assert bool(names) == ("takes it away" in kinds()[kind][4]), kind
        assert all(f"`{name}" in kinds()[kind][4] for name in names), kind


def test_mail_registry_and_assistant_are_as_the_defaults_are():
    text = "\n".join("|".join(row) for row in rows("What goes out"))

    assert f"TCP {Mail().port} (`mail.port`)" in text
    assert GEMINI_URL.removeprefix("https://") in text
    assert Assistant().kind == "off"
    assert "off by default" in text
    assert Forward().registry_every_s == 300
    assert "every five minutes" in text


def test_the_example_of_a_firewall_lets_in_the_port_of_the_pages_and_no_other():
    example = PAGE.split("```")[1]
    let_in = example.split("chain input", 1)[1].split("chain output", 1)[0]

    assert set(re.findall(r"tcp dport (\{[^}]+\}|\d+)", let_in)) == {
        "{ 8080, 8443 }",
        "{ 22, 8080, 8443 }",
    }
    assert (Web().port, Web().tls_port) == (8080, 8443)
    assert example.count("policy drop;") == 3
    assert example.count("{") == example.count("}")
