"""What a person is asked at a first start, one after the other; the answers are a file of first settings."""

from __future__ import annotations

import asyncio
import getpass
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from daemon.appliance.first_settings import FirstPerson
from daemon.appliance.network_setting import Network
from daemon.appliance.time_setting import Time
from daemon.cli import BadInput
from daemon.config import Box, Config
from daemon.control.asking import first_fault
from daemon.first_start import as_toml
from daemon.people.passwords import Passwords, fault
from daemon.words import say


def asked(config: Config) -> str:
    """Everything, with what is so already in brackets. Raises `BadInput` where nobody answers."""
    try:
        return _asked(config)
    except EOFError:
        raise BadInput(say("setup.cli.no_answer")) from None


def _asked(config: Config) -> str:
    tables: dict[str, Any] = {"box": {}}
    for name in ("name", "ward", "serial"):
        tables["box"][name] = _one(f"box.{name}", str(getattr(config.box, name)), partial(_box, name))
    beds = _one("beds", " ".join(config.beds), _bed_keys).split()
    tables["beds"] = {
        key: {
            "name": _one(
                "bed.name", config.beds[key].name if key in config.beds else "", lambda _: None, bed=key
            )
        }
        for key in beds
    }
    zone = _one("time.zone", "", lambda v: Time(zone=v))
    servers = _one("time.servers", "", lambda v: Time(servers=tuple(v.split()))).split()
    if zone or servers:
        tables["time"] = {**({"zone": zone} if zone else {}), **({"servers": servers} if servers else {})}
    tables["web"] = {"host": _one("web.host", config.web.host, lambda _: None)}
    if network := _network():
        tables["network"] = network
    text = as_toml(tables)
    return text + _first_person()


def _box(name: str, given: str) -> None:
    Box.model_validate({name: given})


def _network() -> dict[str, Any]:
    interface = _one("network.interface", "", lambda v: Network(interface=v or "eth0"))
    if not interface:
        return {}
    address = _one(
        "network.address",
        "dhcp",
        lambda v: None if v == "dhcp" else TypeAdapter(Network).validate_python(_static(interface, v)),
    )
    if address == "dhcp":
        return {"interface": interface, "method": "dhcp"}
    said = _static(interface, address)
    gateway = _one("network.gateway", "", lambda v: Network(**{**said, **({"gateway": v} if v else {})}))
    servers = _one(
        "network.name_servers", "", lambda v: Network(**{**said, "name_servers": v.split()})
    ).split()
    return {
        **said,
        **({"gateway": gateway} if gateway else {}),
        **({"name_servers": servers} if servers else {}),
    }


def _static(interface: str, address: str) -> dict[str, Any]:
    return {"interface": interface, "method": "static", "address": address}


def _first_person() -> str:
    name = _one("person", "", lambda v: FirstPerson(full_name=v, role="admin", code="x" * 12))
    while True:
        password = getpass.getpass(say("setup.cli.password"))
        if key := fault(password, name):
            print(say(key))
        elif getpass.getpass(say("setup.cli.again")) != password:
            print(say("setup.cli.differ"))
        else:
            break
    passwords = Passwords()
    hashed = asyncio.run(passwords.hash(password))
    passwords.close()
    person = as_toml({"people": {"full_name": name, "role": "admin", "password_hash": hashed}})
    return "\n" + person.replace("[people]", "[[people]]")


def _one(key: str, known: str, check: Callable[[str], object], **places: str) -> str:
    """An answer that can be used; none takes what is known."""
    while True:
        shown = f" [{known}]" if known else ""
        given = input(f"{say(f'setup.ask.{key}', **places)}{shown}: ").strip() or known
        try:
            check(given)
        except ValidationError as error:
            print(first_fault(error))
        except ValueError as error:
            print(error)
        else:
            return given


def _bed_keys(given: str) -> None:
    keys = given.split()
    if not keys or not all(re.fullmatch(r"[A-Za-z0-9_-]{1,16}", key) for key in keys):
        raise ValueError(say("setup.ask.beds.how"))
