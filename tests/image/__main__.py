"""`./dev image-test [NAME ...] [--suite SUITE]`: the long tests of what a box is made of; minutes each. Prints figures. Needs root."""

from __future__ import annotations

import argparse
import importlib
import sys

KNOWN = ("package", "image")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev image-test", description=str(__doc__))
    parser.add_argument("name", nargs="*", help=f"of {', '.join(KNOWN)} (default: all)")
    parser.add_argument("--suite", action="append", default=[], help="Debian release (default: all)")
    options = parser.parse_args()
    failed = []
    for name in options.name or KNOWN:
        wrong = importlib.import_module(f"tests.image.{name}").run(options.suite)
        print("\n".join(f"{name}: NOT MET: {line}" for line in wrong) or f"{name}: met", flush=True)
        failed += wrong
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
