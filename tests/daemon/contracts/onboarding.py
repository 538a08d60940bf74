"""Writes docs/onboarding.md: how to begin, and every payload with its fields and examples, from the contracts.

python -m tests.daemon.contracts.onboarding
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from daemon.contracts.registry import CONTRACTS
from tests.daemon.contracts.documents import FOLDER, schemas
from tests.daemon.contracts.onboarding_words import DEVICE, FRAMES, HEAD
from tests.firmware_bridge.boards import vlp_script

HERE = Path(__file__).parent
PAGE = FOLDER.parent / "onboarding.md"

SEEDS = {
    "ecg.metrics/1": ("a1_metrics_update", "b_ecg_metrics"),
    "ecg.waveform/1": ("a2_ecg_waveform",),
    "ecg.arrhythmia/1": ("a6_arrhythmia_detected",),
    "cpap.metrics/1": ("b_cpap_metrics",),
    "cpap.config/1": ("b_cpap_config",),
    "oxygen.metrics/1": ("b_oxygen_metrics",),
    "oxygen.config/1": ("b_oxygen_config",),
    "box.session_start/1": ("a3_session_start",),
    "box.session_end/1": ("a4_session_end",),
    "box.report/1": ("a5_report_generated", "b_ecg_report"),
    "box.error/1": ("a7_error_report",),
}
"""Message -> the seeds' examples of it (tests/daemon/contracts/seeds), which the adapters say key for key (test_seeds.py)."""

FORMS = {"a": "the first plan", "b": "the roadmap"}

UNITS = {
    "bpm": "1/min",
    "per_min": "1/min",
    "per_hour": "1/h",
    "ms": "ms",
    "ms2": "ms2",
    "uv": "uV",
    "mv": "mV",
    "deg": "degrees",
    "hz": "Hz",
    "pct": "%",
    "lpm": "L/min",
    "cm_h2o": "cmH2O",
    "c": "degrees Celsius",
    "s": "s",
    "ns": "ns",
    "bytes": "bytes",
    "mb": "MB",
    "kpa": "kPa",
}
"""Ends of names -> units."""


def unit(name: str) -> str:
    """What the end of a field's name says."""
    found = [
        told for end, told in sorted(UNITS.items(), key=lambda one: -len(one[0])) if name.endswith(f"_{end}")
    ]
    return found[0] if found else ""


def kind(schema: dict[str, Any]) -> str:
    """A field's type in words, with its range."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        told = [kind(one) for one in schema["anyOf"]]
        return " or ".join(told)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    told = schema.get("type", "anything")
    if told == "array":
        return f"list of {kind(schema['items'])}"
    if told == "object":
        return (
            f"names to {kind(schema['additionalProperties'])}"
            if isinstance(schema.get("additionalProperties"), dict)
            else "object"
        )
    if told == "null":
        return "null"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        told += f" {least} to {most}" if most is not None else f", {least} or more"
    elif most is not None:
        told += f", {most} at most"
    return f"{told} ({schema['format']})" if "format" in schema else told


def fields(schema: dict[str, Any]) -> list[str]:
    """A table of an object's fields."""
    lines = ["| field | type | unit | must be there | what |", "|---|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        needed = "yes" if name in schema.get("required", ()) else ""
        told = field.get("description", "").replace("|", "\\|").replace("<", "\\<").replace("\n", " ")
        lines.append(f"| `{name}` | {kind(field)} | {unit(name)} | {needed} | {told} |")
    return lines


def lanes() -> dict[str, str]:
    """Message -> its lane, as docs/contracts/README.md has them."""
    found = {}
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3:
            found |= dict.fromkeys(re.findall(r"`([a-z]+\.[a-z_]+/\d+)`", cells[0]), cells[2])
    return found


def shown(document: Any) -> str:
    """JSON, long texts and lists cut short."""

    def short(value: Any) -> Any:
        if isinstance(value, str) and len(value) > 100:
            return value[:40] + "..."
        if isinstance(value, dict):
            return {name: short(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [short(inner) for inner in value]
        return value

    text = json.dumps(short(document), indent=2, ensure_ascii=False)
    return re.sub(
        r"\[\s+(-?\d[^\[\]{}]*?)\s+\]", lambda numbers: "[" + " ".join(numbers[1].split()) + "]", text
    )


def example(path: Path) -> list[str]:
    return ["```json", shown(json.loads(path.read_text(encoding="utf-8"))), "```", ""]


def message(name: str, schema: dict[str, Any], lane: str) -> list[str]:
    """One message: what it is, its fields, its examples in both forms."""
    version = f"{name.replace('/', '-')}.{CONTRACTS[name].minor}"
    way = "to the box" if CONTRACTS[name].down else f"from the box, lane `{lane}`"
    lines = [f"### `{name}`", "", f"{way[0].upper()}{way[1:]}. Schema: `contracts/schemas/{version}.json`."]
    if schema.get("description"):
        lines += ["", " ".join(schema["description"].split())]
    lines += ["", *fields(schema), ""]
    for inner, definition in schema.get("$defs", {}).items():
        about = " ".join(definition.get("description", "").split())
        lines += [f"**{inner}**" + (f": {about}" if about else ""), "", *fields(definition), ""]
    lines += ["In the canonical form:", "", *example(HERE / "golden" / f"{version}.json")]
    for seed in SEEDS.get(name, ()):
        lines += [f"In the form of {FORMS[seed[0]]}:", "", *example(HERE / "seeds" / f"{seed}.json")]
    return lines


def frames() -> str:
    lines = ["| frame | bytes | what |", "|---|---|---|"]
    for name, told in FRAMES:
        lines.append(f"| {name} | `{getattr(vlp_script, name).hex(' ').upper()}` | {told} |")
    return "\n".join(lines)


def page() -> str:
    files, lane = schemas.files(), lanes()
    lines = [HEAD, DEVICE.replace("{frames}", frames()), "## Payloads", ""]
    lines += [
        "### The envelope",
        "",
        "Every message in the canonical form.",
        "",
        *fields(files["envelope-1.0"]),
        "",
    ]
    for name, contract in CONTRACTS.items():
        lines += message(name, files[f"{name.replace('/', '-')}.{contract.minor}"], lane.get(name, ""))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
