"""`vitald config check|show|set KEY VALUE|diff`: the configuration, without what is secret in it."""

from __future__ import annotations

import argparse
import json

from daemon.appliance import config_file
from daemon.appliance.config_file import CannotSet
from daemon.cli import BAD_CONFIGURATION, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("act", choices=("check", "show", "set", "diff"), help="diff: what is not the default")
    parser.add_argument("key", nargs="?", help="show: only this key or table; set: which one (web.port)")
    parser.add_argument("value", nargs="?", help="set: a TOML value, or text")


def run(options: argparse.Namespace) -> int:
    match options.act:
        case "check":
            return _check(options)
        case "set":
            return _set(options)
    config = config_of(options)
    if options.act == "diff":
        _diff(options, config_file.differences(config))
        return WELL
    shown = dict(config_file.flat(config_file.masked(config.model_dump(mode="json"))))
    wanted = options.key
    if wanted:
        shown = {k: v for k, v in shown.items() if k == wanted or k.startswith(f"{wanted}.")}
        if not shown:
            raise BadInput(f"there is no {wanted}")
    if options.json:
        print(json.dumps(shown, indent=2))
    else:
        for key, value in shown.items():
            print(f"{key} = {_shown(value)}")
    return WELL


def _check(options: argparse.Namespace) -> int:
    try:
        found = config_file.faults(options.config)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{options.config}: {getattr(error, 'strerror', None) or error}") from None
    if options.json:
        print(json.dumps([{"line": f.line, "key": f.key, "text": f.text} for f in found], indent=2))
    else:
        for fault in found:
            print(f"{options.config}:{fault.line}: {fault.key + ': ' if fault.key else ''}{fault.text}")
        if not found:
            print(say("technician.config_good", path=str(options.config)))
    return BAD_CONFIGURATION if found else WELL


def _set(options: argparse.Namespace) -> int:
    if not options.key or options.value is None:
        raise BadInput("set which key to which value?")
    path = options.config
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        copy = config_file.write(path, config_file.with_value(text, options.key, options.value))
    except CannotSet as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename or path}: {error.strerror}") from None
    print(say("technician.config_set", name=options.key, path=str(path), copy=str(copy)))
    return WELL


def _diff(options: argparse.Namespace, found: list[tuple[str, object, object]]) -> None:
    if options.json:
        print(json.dumps([{"key": k, "default": d, "value": v} for k, d, v in found], indent=2))
        return
    for key, default, value in found:
        before = "" if default is None else f"  # {say('technician.default')} {_shown(default)}"
        print(f"{key} = {_shown(value)}{before}")
    if not found:
        print(say("technician.all_default"))


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
