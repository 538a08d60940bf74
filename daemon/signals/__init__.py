"""What an alarm turns into that is not on a screen: bursts of sound, a lamp, a nurse call."""
