"""`vitald cert`: the certificate that other machines are served with: shown, renewed, or of the house's own authority."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.words import say

if TYPE_CHECKING:
    from daemon.appliance.certificates import Certificates, Outcome
    from daemon.appliance.own_names import OwnNames

ACTS = ("show", "renew", "csr", "install", "ensure")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "act",
        nargs="?",
        choices=ACTS,
        default="show",
        help="show; renew now; csr: a request for the house's authority; install what it has signed; "
        "ensure: make what is missing or due (vitald-cert.service)",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, help="install: certificate and those that signed it, PEM"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="csr: file of the request (default: standard output)"
    )
    parser.add_argument(
        "--authority",
        action="store_true",
        help="renew: a new authority too; every browser must be told again",
    )
    parser.add_argument(
        "--own", action="store_true", help="renew: from the house's certificate back to the own"
    )
    parser.add_argument("--json", action="store_true", help="show: as JSON")


def run(options: argparse.Namespace) -> int:
    from daemon.appliance.certificates import Certificates
    from daemon.appliance.own_names import own_names

    config = config_of(options)
    own = own_names(config.web)
    acts: dict[str, Callable[[argparse.Namespace, Config, Certificates, OwnNames], int]] = {
        "show": _show,
        "renew": _renew,
        "csr": _request,
        "install": _install,
        "ensure": _ensure,
    }
    try:
        if options.act != "show":
            config.cert_data.mkdir(mode=0o755, exist_ok=True)
        return acts[options.act](options, config, Certificates(config.cert_data), own)
    except OSError as error:
        path, why = error.filename or config.cert_data, error.strerror or str(error)
        raise BadInput(say("cert.no_right", path=str(path), why=why)) from None


def _show(options: argparse.Namespace, config: Config, files: Certificates, own: OwnNames) -> int:
    told = described(files, own, _now())
    if options.json:
        print(json.dumps(told, indent=2))
    elif told["served"]:
        print("\n".join(_lines(told)))
    else:
        why = "not_yet" if config.web.is_encrypted else "local"
        if why == "not_yet" and not _clock_set():
            why = "clock"
        elif why == "not_yet" and not own.has_address:
            why = "address"
        print(say("cert.none", why=say(f"cert.why.{why}")))
    served = told["served"]
    return NOT_WELL if config.web.is_encrypted and (served is None or served["days"] < 0) else WELL


def described(files: Certificates, own: OwnNames, now: datetime) -> dict[str, dict[str, Any] | None]:
    """What `show --json` says: `served` and `authority`, null where there is none."""
    from daemon.appliance import authority as made
    from daemon.appliance.certificates import covered, renewed_from

    served, trusted = next(iter(files.shown()), None), files.trusted()
    told: dict[str, dict[str, Any] | None] = {"served": None, "authority": None}
    if served is not None:
        names, house = made.names_of(served), files.is_house()
        told["served"] = {
            "house": house,
            "issuer": made.common_name(served.issuer),
            "names": list(names),
            "until": served.not_valid_after_utc.isoformat(),
            "days": (served.not_valid_after_utc - now).days,
            "renewed_from": None if house else renewed_from(served).isoformat(),
            "sha256": made.fingerprint(served),
            "uncovered": [one for one in own.names if one not in names],
        }
    if trusted is not None:
        told["authority"] = {
            "name": made.common_name(trusted.subject),
            "until": trusted.not_valid_after_utc.isoformat(),
            "sha256": made.fingerprint(trusted),
            "may_sign": list(covered(trusted, own.names)),
        }
    return told


def _lines(told: dict[str, dict[str, Any] | None]) -> Iterator[str]:
    served, authority = told["served"], told["authority"]
    assert served is not None
    kind = say("cert.kind.house" if served["house"] else "cert.kind.own")
    yield say("cert.line", kind=kind, issuer=str(served["issuer"]))
    yield "  " + say("cert.names", names=", ".join(served["names"]))
    key = "cert.ended" if served["days"] < 0 else "cert.days"
    yield "  " + say(key, day=str(served["until"])[:10], days=str(served["days"]))
    if served["renewed_from"]:
        yield "  " + say("cert.renewed", day=str(served["renewed_from"])[:10])
    else:
        yield "  " + say("cert.not_renewed")
    if served["uncovered"] and not served["house"]:
        yield "  " + say("cert.uncovered", names=", ".join(served["uncovered"]))
    if authority is not None and not served["house"]:
        yield say("cert.authority", name=str(authority["name"]), day=str(authority["until"])[:10])
        yield "  " + say("cert.fingerprint", print=_grouped(str(authority["sha256"])))


def _renew(options: argparse.Namespace, config: Config, files: Certificates, own: OwnNames) -> int:
    from daemon.appliance.authority import make_certificate
    from daemon.appliance.certificates import covered, is_spent

    _must_serve(config)
    now = _now_set()
    if files.is_house() and not options.own:
        print(say("cert.is_house"))
        return NOT_WELL
    authority = files.authority()
    if options.authority or authority is None or is_spent(authority.certificate, own.names, now):
        if not own.names:
            raise BadInput(say("cert.none", why=say("cert.why.address")))
        print(say(f"cert.{files.begin_anew(own, now)}"))
    else:
        files.serve(make_certificate(authority, covered(authority.certificate, own.names), now), authority)
        print(say("cert.made"))
    return _show(options, config, files, own)


def _request(options: argparse.Namespace, _config: Config, files: Certificates, own: OwnNames) -> int:
    if not own.names:
        raise BadInput(say("cert.none", why=say("cert.why.address")))
    request = files.ask(own.names)
    if options.output is None:
        print(request.decode(), end="")
    else:
        options.output.write_bytes(request)
        print(say("cert.asked", path=str(options.output)))
    return WELL


def _install(options: argparse.Namespace, config: Config, files: Certificates, own: OwnNames) -> int:
    from daemon.appliance.certificates import NotInstalled

    if options.file is None:
        raise BadInput(say("cert.bad.pem", path=""))
    try:
        pair = files.install(options.file.read_bytes(), own.names, _now())
    except NotInstalled as error:
        raise BadInput(say(f"cert.bad.{error.reason}", path=str(options.file), **error.values)) from None
    print(say("cert.installed", day=pair.certificate.not_valid_after_utc.date().isoformat()))
    return _show(options, config, files, own)


def _ensure(_options: argparse.Namespace, config: Config, files: Certificates, own: OwnNames) -> int:
    """What cannot be made yet is no failure: it is tried again, and the box's own screen needs none."""
    if not config.web.is_encrypted:
        print(say("cert.none", why=say("cert.why.local")))
        return WELL
    done: Outcome = files.ensure(own, _now(), clock_set=_clock_set())
    print(say("cert.none", why=say(f"cert.why.{done}")) if done.is_lacking else say(f"cert.{done}"))
    return WELL


def _must_serve(config: Config) -> None:
    if not config.web.is_encrypted:
        raise BadInput(say("cert.none", why=say("cert.why.local")))


def _now() -> datetime:
    return datetime.now(UTC)


def _now_set() -> datetime:
    """Now; a person may say that a clock is right which nobody keeps, but not that it is 1970."""
    from daemon.wallclock import EARLIEST_NS

    now = _now()
    if time.time_ns() < EARLIEST_NS:
        raise BadInput(say("cert.bad.clock", day=now.date().isoformat()))
    return now


def _clock_set() -> bool:
    from daemon.wallclock import read

    return read().is_set


def _grouped(digits: str) -> str:
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
