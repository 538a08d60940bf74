"""Requests and answers by the clock they are given."""

from __future__ import annotations

from firmware_bridge.dialogue import Dialogue, Step
from firmware_bridge.frames import Reply

ASK = Step("ask", b"?", wait_ns=100, tries=2, again_ns=10, settle_ns=5)
TELL = Step("tell", b"!", wait_ns=20, answered=False)


def test_an_answer_leads_to_the_next_step_after_its_rest():
    dialogue = Dialogue()
    dialogue.begin((ASK, TELL), 50)

    assert dialogue.due(49) == (None, None)
    assert dialogue.due(50) == (ASK, None)
    assert dialogue.due(60) == (None, None)
    assert dialogue.answer(70, "yes") == [Reply("ask", ok=True, text="yes")]
    assert dialogue.due(74) == (None, None)
    assert dialogue.due(75) == (TELL, None)
    assert not dialogue.over
    assert dialogue.due(95) == (None, None)
    assert dialogue.over


def test_without_an_answer_it_is_asked_again_and_then_given_up():
    dialogue = Dialogue()
    dialogue.begin((ASK, TELL), 0)

    assert dialogue.due(0) == (ASK, None)
    assert dialogue.due(100) == (None, None)
    assert dialogue.due(110) == (ASK, None)
    assert dialogue.due(210) == (None, ASK)
    assert dialogue.due(210) == (TELL, None)


def test_half_an_answer_makes_it_wait_anew():
    dialogue = Dialogue()
    dialogue.begin((ASK,), 0)
    dialogue.due(0)
    dialogue.going_on(90)

    assert dialogue.due(150) == (None, None)
    assert dialogue.pending is ASK


def test_an_answer_nobody_waits_for_is_none():
    assert Dialogue().answer(0) == []
