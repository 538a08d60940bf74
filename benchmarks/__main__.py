"""`./dev bench [NAME ...] [--json]`: run the benchmarks of this folder and print one table."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from dataclasses import asdict

import benchmarks


def main(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    wanted = [a for a in arguments if not a.startswith("-")]
    known = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in wanted or known:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            if as_json:
                print(json.dumps({"benchmark": name, **asdict(row)}), flush=True)
            else:
                verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
                note = f"  ({row.note})" if row.note else ""
                print(
                    f"{row.claim:<58} {row.value:>12.4g} {row.unit:<14} {row.target:<12} {verdict}{note}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
