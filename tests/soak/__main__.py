"""`./dev soak [NAME ...]`: run the long tests of this folder, one after the other."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.soak


def main(wanted: list[str]) -> int:
    known = sorted(m.name for m in pkgutil.iter_modules(tests.soak.__path__) if not m.name.startswith("_"))
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"no long test {', '.join(sorted(unknown))}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in wanted or known:
        print(f"{name}: {(importlib.import_module(f'tests.soak.{name}').__doc__ or '').splitlines()[0]}")
        wrong = importlib.import_module(f"tests.soak.{name}").run()
        print("\n".join(f"{name}: NOT MET: {line}" for line in wrong) or f"{name}: met", flush=True)
        failed += wrong
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
