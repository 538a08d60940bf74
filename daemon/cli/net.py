"""`vitald net`: how the network stands, in plain words; `vitald net set` sets an interface, with NetworkManager.

vitald net set eth0 dhcp
vitald net set eth0 10.0.0.5/24 --gateway 10.0.0.1 --dns 10.0.0.2
vitald net set wlan0 dhcp --ssid Ward --password-file FILE
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from daemon.appliance.network import gateway, interfaces, name_servers
from daemon.appliance.network_setting import Network, network_steps
from daemon.appliance.system_steps import CannotDo
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.carrying import carried_out
from daemon.cli.configured import add_config, config_of
from daemon.cli.doctor import reached
from daemon.control.asking import first_fault
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("act", nargs="?", choices=("show", "set"), default="show")
    parser.add_argument("interface", nargs="?", help="set: which one (eth0)")
    parser.add_argument("address", nargs="?", help="set: dhcp, or its address with the prefix (10.0.0.5/24)")
    parser.add_argument("--gateway", help="set: the way out, with an address")
    parser.add_argument(
        "--dns", action="append", default=[], metavar="ADDRESS", help="set: a name server; may be said again"
    )
    parser.add_argument("--ssid", default="", help="set: name of a Wi-Fi")
    parser.add_argument("--password-file", type=Path, help="set: file with the Wi-Fi's password")
    parser.add_argument("--show", action="store_true", help="set: only show what would be done")
    parser.add_argument("--reach", action="store_true", help="also how far each cloud is reached")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.act == "set":
        return _set(options)
    config = config_of(options)
    links, out, names = interfaces(options.root), gateway(options.root), name_servers(options.root)
    clouds = reached(config, sign_in=False) if options.reach else []
    if options.json:
        told = {"interfaces": [asdict(link) for link in links], "gateway": out, "name_servers": names}
        print(json.dumps({**told, "clouds": [asdict(cloud) for cloud in clouds]}, indent=2))
    else:
        for link in links:
            kind = say("technician.wireless" if link.wireless else "technician.wired")
            state = say("technician.up" if link.up else "technician.down")
            print(f"{link.name} ({kind}, {link.hardware}): {state} {', '.join(link.addresses)}".rstrip())
        print(say("technician.gateway", address=out) if out else say("technician.no_gateway"))
        print(say("technician.names", servers=", ".join(names) or "-"))
        print(say("technician.pages", host=config.web.host, port=str(config.web.port)))
        for cloud in clouds:
            far = (
                say("technician.reached")
                if not cloud.failed
                else f"{say('technician.not_reached')}: {cloud.why}"
            )
            print(f"{cloud.name}: {cloud.host} port {cloud.port}: {far}")
        tool = shutil.which("nmcli")
        print(say("technician.set_net" if tool else "technician.no_nmcli"))
    return WELL if any(link.up for link in links) and not any(cloud.failed for cloud in clouds) else NOT_WELL


def _set(options: argparse.Namespace) -> int:
    if not options.interface or not options.address:
        raise BadInput("set which interface to what? vitald net set eth0 dhcp")
    said: dict[str, object] = {
        "interface": options.interface,
        "ssid": options.ssid,
        "name_servers": options.dns,
    }
    if options.address != "dhcp":
        said |= {"method": "static", "address": options.address}
    if options.gateway:
        said["gateway"] = options.gateway
    try:
        password = options.password_file.read_text(encoding="utf-8").strip() if options.password_file else ""
        steps = network_steps(Network.model_validate(said), password, options.root)
        return carried_out(steps, show=options.show, as_json=options.json)
    except ValidationError as error:
        raise BadInput(first_fault(error)) from None
    except CannotDo as error:
        raise BadInput(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{options.password_file}: {error}") from None
