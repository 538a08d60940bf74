"""The generated documents of docs/contracts/: written by `python -m tests.daemon.contracts.documents`.

Published schemas never change: a new field is a new minor version with a file of its own, and published.json keeps the hash of
every file that was ever published.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.daemon.contracts.documents import asyncapi, openapi, schemas
from tests.daemon.control import described
from webui.api import table

FOLDER = Path(__file__).parents[4] / "docs" / "contracts"
PUBLISHED = FOLDER / "published.json"


def documents() -> dict[str, str]:
    """Path below docs/contracts -> text, of all generated files but published.json."""
    made = {f"schemas/{name}.json": text(schema) for name, schema in schemas.files().items()}
    made |= {"openapi.json": text(openapi.document()), "asyncapi.json": text(asyncapi.document())}
    return {**made, "box-api.json": text(table.document()), "control-api.json": text(described.document())}


def text(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
