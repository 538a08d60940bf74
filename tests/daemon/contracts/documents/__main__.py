"""Write the documents. A published schema that would change is refused: raise its minor version in registry.py."""

from __future__ import annotations

import json
import sys

from tests.daemon.contracts.documents import FOLDER, PUBLISHED, digest, documents, text


def main() -> int:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8")) if PUBLISHED.exists() else {}
    made = documents()
    for path, content in made.items():
        if published.get(path, digest(content)) != digest(content):
            print(f"{path} is published and would change: raise its minor version", file=sys.stderr)
            return 1
    for path, content in made.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(content, encoding="utf-8")
        if path.startswith("schemas/"):
            published[path] = digest(content)
    PUBLISHED.write_text(text(dict(sorted(published.items()))), encoding="utf-8")
    return 0


sys.exit(main())
