"""`vitald net`: how the network stands, in plain words; settings are made with NetworkManager, where it is there."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from daemon.appliance.network import gateway, interfaces, name_servers
from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of
from daemon.cli.doctor import reached
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--reach", action="store_true", help="also how far each cloud is reached")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
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
