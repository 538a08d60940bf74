"""`vitald crash`: what the processes of this box did not expect, and whether mail about it works."""

from __future__ import annotations

import argparse
import json
import os

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    listed = acts.add_parser("list", help="the errors that are kept, the newest first")
    listed.add_argument("--json", action="store_true", help="JSON")
    show = acts.add_parser("show", help="exactly what is sent of one, as JSON")
    show.add_argument("fingerprint", help="its name in the list")
    acts.add_parser("test-mail", help="send a mail that shows that mail works")
    for sub in acts.choices.values():
        add_config(sub)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    from daemon.appliance.crash_queue import body_of
    from daemon.appliance.crash_spool import Spool

    spool = Spool(config.crash_data)
    if options.act == "test-mail":
        return _test_mail(options)
    if options.act == "show":
        report = spool.report(options.fingerprint)
        if report is None:
            raise BadInput(f"no error {options.fingerprint} is kept: `vitald crash list` names them")
        print(json.dumps(body_of(report), indent=2))
        return WELL
    reports = spool.reports()
    if options.json:
        print(json.dumps([one.as_dict() for one in reports], indent=2))
    for one in [] if options.json else reports:
        print(f"{one.last_at}  {one.fingerprint}  {one.process:<9} {one.count:>5} x  {one.error_type}")
    return WELL


def _test_mail(options: argparse.Namespace) -> int:
    from pathlib import Path

    from daemon.forward.mail import NotSent, send, trial

    config = config_of(options)
    if not config.mail.is_set:
        raise BadInput("mail.host, mail.sender and mail.recipients are not all set")
    credentials = Path(os.environ.get("CREDENTIALS_DIRECTORY") or config.forward.credentials)
    try:
        send(config.mail, trial(config.mail, config.box.name), credentials)
    except NotSent as error:
        print(f"not sent: {error}")
        return NOT_WELL
    print(f"sent to {', '.join(config.mail.recipients)}")
    return WELL
