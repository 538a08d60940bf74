"""A language is complete: every sentence of the English catalogue, with the same places in it, and none besides."""

from __future__ import annotations

import re

import pytest

from daemon import words
from daemon.words import de

PLACE = re.compile(r"\{(\w+)\}")
OWN = {"de": de.WORDS}
SAME = re.compile(r"[^A-Za-z]*|[A-Z0-9 /+%().,:₂²·-]+|(?:\{\w+\}|[^a-zA-Z])*")
"""What may read alike in two languages: signs, abbreviations, nothing but places."""


@pytest.mark.parametrize("language", sorted(OWN))
def test_every_sentence_has_one_in_the_language(language):
    missing = sorted(set(words.ENGLISH) - set(OWN[language]))
    assert missing == [], f"{len(missing)} sentences are missing in {language}"


@pytest.mark.parametrize("language", sorted(OWN))
def test_no_sentence_is_of_a_key_that_nobody_has(language):
    assert sorted(set(OWN[language]) - set(words.ENGLISH)) == []


@pytest.mark.parametrize("language", sorted(OWN))
def test_sentences_have_the_same_places(language):
    """A place may stand elsewhere; none is lost, and none is made up."""
    wrong = {
        key: (sorted(PLACE.findall(words.ENGLISH[key])), sorted(PLACE.findall(said)))
        for key, said in OWN[language].items()
        if key in words.ENGLISH and set(PLACE.findall(words.ENGLISH[key])) != set(PLACE.findall(said))
    }
    assert wrong == {}


@pytest.mark.parametrize("language", sorted(OWN))
def test_alarms_are_really_said_in_the_language(language):
    alarms = [
        key for key in OWN[language] if key.startswith("alarm.") and not SAME.fullmatch(words.ENGLISH[key])
    ]
    assert len(alarms) > 60
    with words.speaking(language):
        assert all(
            words.say(key) == OWN[language][key] for key in alarms if not PLACE.search(OWN[language][key])
        )
        assert words.say("alarm.vent_fib") == "KAMMERFLIMMERN"
        assert words.say("key.acknowledge") == "QUITTIEREN"


@pytest.mark.parametrize("language", sorted(OWN))
def test_capitals_stay_capitals(language):
    """States on the message line are in capitals in every language."""
    shouted = [
        k
        for k, said in words.ENGLISH.items()
        if len(re.sub(r"\{\w+\}|\W|\d", "", said)) > 4 and said.upper() == said
    ]
    quiet = {
        k: OWN[language][k]
        for k in shouted
        if k in OWN[language] and re.search(r"[a-zäöü]{4}", PLACE.sub("", OWN[language][k]))
    }
    assert quiet == {}
