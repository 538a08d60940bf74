"""Every sentence a person reads, by language. Screen, reports and command line all take their words from here.

A key is dotted: what it is about, then which one (`why.leads_off`); `<key>.help` is what a person can do about it.
`{name}` in a sentence is filled in by `say`, or by the page in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from daemon.words import (
    de,
    en,
    en_admit,
    en_alarms,
    en_appliance,
    en_assistant,
    en_breath,
    en_clouds,
    en_crash,
    en_devices,
    en_ecg,
    en_exchange,
    en_firmware,
    en_first,
    en_import,
    en_machines,
    en_panels,
    en_people,
    en_proof,
    en_reports,
    en_review,
    en_rows,
    en_settings,
    en_trust,
    en_update,
    en_wishes,
)

_TABLES: dict[str, Mapping[str, str]] = {
    "en": MappingProxyType(
        {
            **en.WORDS,
            **en_ecg.WORDS,
            **en_exchange.WORDS,
            **en_firmware.WORDS,
            **en_first.WORDS,
            **en_admit.WORDS,
            **en_alarms.WORDS,
            **en_assistant.WORDS,
            **en_appliance.WORDS,
            **en_rows.WORDS,
            **en_settings.WORDS,
            **en_update.WORDS,
            **en_breath.WORDS,
            **en_clouds.WORDS,
            **en_crash.WORDS,
            **en_devices.WORDS,
            **en_import.WORDS,
            **en_machines.WORDS,
            **en_panels.WORDS,
            **en_review.WORDS,
            **en_people.WORDS,
            **en_proof.WORDS,
            **en_reports.WORDS,
            **en_trust.WORDS,
            **en_wishes.WORDS,
        }
    )
}
ENGLISH = _TABLES["en"]
_TABLES["de"] = MappingProxyType({**ENGLISH, **de.WORDS})
"""What another language has no sentence for is said in English: it is shown, never hidden."""

LANGUAGES = tuple(_TABLES)
_PLACE = re.compile(r"\{(\w+)\}")


_box = "en"
_spoken: ContextVar[str] = ContextVar("language")


def speak(language: str) -> None:
    """What this process says from now on is in `language`. KeyError for one that we do not speak."""
    global _box  # noqa: PLW0603 - one language a process, as the box is set
    _TABLES[language]
    _box = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within it, and in the tasks started there, `language` is spoken."""
    token = _spoken.set(language if language in _TABLES else _box)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> str:
    """The language that is spoken here and now."""
    return _spoken.get(_box)


def table(language: str = "") -> Mapping[str, str]:
    """All sentences of a language ("" = the one that is spoken), by key. KeyError for a language we do not speak."""
    return _TABLES[language or spoken()]


def say(key: str, language: str = "", **values: str) -> str:
    """The sentence of `key`. A key without a sentence comes back as it is: an unknown state is shown, never hidden.

    `language` "" is the one that is spoken. A place that nothing is given for stays empty, as on the page.
    """
    sentence = table(language).get(key, key)
    return _PLACE.sub(lambda place: values.get(place[1], ""), sentence).strip()
