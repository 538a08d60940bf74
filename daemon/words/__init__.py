"""Every sentence a person reads, by language. Screen, reports and command line all take their words from here.

A key is dotted: what it is about, then which one (`why.leads_off`); `<key>.help` is what a person can do about it.
`{name}` in a sentence is filled in by `say`, or by the page in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from daemon.words import (
    en,
    en_alarms,
    en_breath,
    en_clouds,
    en_devices,
    en_ecg,
    en_import,
    en_panels,
    en_rows,
    en_wishes,
)

_TABLES: dict[str, Mapping[str, str]] = {
    "en": MappingProxyType(
        {
            **en.WORDS,
            **en_ecg.WORDS,
            **en_alarms.WORDS,
            **en_rows.WORDS,
            **en_breath.WORDS,
            **en_clouds.WORDS,
            **en_devices.WORDS,
            **en_import.WORDS,
            **en_panels.WORDS,
            **en_wishes.WORDS,
        }
    )
}
LANGUAGES = tuple(_TABLES)
_PLACE = re.compile(r"\{(\w+)\}")


def table(language: str = "en") -> Mapping[str, str]:
    """All sentences of a language, by key. KeyError for a language we do not speak."""
    return _TABLES[language]


def say(key: str, language: str = "en", **values: str) -> str:
    """The sentence of `key`. A key without a sentence comes back as it is: an unknown state is shown, never hidden.

    A place that nothing is given for stays empty, as on the page.
    """
    sentence = _TABLES[language].get(key, key)
    return _PLACE.sub(lambda place: values.get(place[1], ""), sentence).strip()
