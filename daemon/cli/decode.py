"""`vitald decode FILE`: what the raw bytes of a capture, or of any other file, mean; for every board."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.words import say
from firmware_bridge.boards import BOARDS

LONGEST_FILE = 256 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="made by `vitald capture`, or raw bytes from anywhere")
    parser.add_argument(
        "--board",
        choices=sorted(BOARDS),
        metavar="NAME",
        help="whose bytes they are (else they are recognised)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a frame")
    parser.add_argument("--summary", action="store_true", help="only what there was, not every frame")


def run(options: argparse.Namespace) -> int:
    from daemon.appliance.capture import read
    from daemon.appliance.decoding import board_of, count, decode, is_proved

    try:
        if options.file.stat().st_size > LONGEST_FILE:
            raise BadInput(f"{options.file}: longer than {LONGEST_FILE >> 20} MiB")
        capture = read(options.file.read_bytes())
    except OSError as error:
        raise BadInput(f"{options.file}: {error.strerror}") from None
    kind = options.board or str(capture.about.get("kind", ""))
    if kind not in BOARDS:
        likely = board_of(capture)
        if not likely or not is_proved(likely[0][0]):
            known = ", ".join(f"{name} {sure:.0%}" for sure, name in likely[:3]) or say("technician.nobody")
            print(say("technician.unrecognised", likely=known))
            return NOT_WELL
        kind = likely[0][1]
    counts: Counter[str] = Counter()
    if not options.json:
        print(f"{options.file}: {BOARDS[kind].FACTS.title} ({kind})")
        for name, value in capture.about.items():
            print(f"  {name}: {value}")
    for one in decode(capture, kind):
        count(counts, one)
        if options.json:
            print(json.dumps({"board": kind, **asdict(one)}))
        elif not options.summary:
            print(f"{one.first:>9}..{one.last:<9} {one.t_ns / 1e9:>10.4f} s  {one.what:<9} {one.text}")
    if not options.json:
        print(
            say(
                "technician.decoded", what=", ".join(f"{n} {name}" for name, n in sorted(counts.items()) if n)
            )
        )
        if capture.cut_off:
            print(say("technician.cut_off"))
    return NOT_WELL if counts.get("damaged_bytes") or not counts else WELL
