"""English: nights from a device's card."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "key.import": "Import a card",
    "import.title": "Import a card",
    "import.about": (
        "The SD card of a ResMed machine (S9, AirSense or AirCurve 10 and 11): pack all of it into one zip file and choose it"
        " here. Its nights become sessions of this bed at their own time. Nothing is imported twice, and the card's own clock is"
        " believed."
    ),
    "import.file": "Zip file",
    "import.whose": "Whose nights",
    "import.nobody": "Nobody's",
    "import.begin": "Import",
    "import.cancel": "Stop",
    "import.uploading": "Uploading: {percent} %",
    "import.running": "{title} {device}: {percent} %, night {nights}",
    "import.done": "{title} {device}: {nights} nights, {added} new sessions with {marks} events. {known} were here already, {empty} are empty.",
    "import.cancelled": "Stopped. {added} sessions were imported; the rest comes when the card is imported again.",
    "import.failed": "Not imported: {reason}",
    "import.unreachable": "The box does not answer: nothing is known about the import.",
    "import.busy": "another import is running",
    "import.stalled": "the upload stood still for a minute",
    "import.disk": "the disk does not take it ({reason})",
    "import.no_zip": "that is no zip file",
    "import.too_large": "the file is too large: at most {most} MB fit",
    "sessions.imported": "from {device}'s card",
}
