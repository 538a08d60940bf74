"""Rhythm and events from the ECG: what the heart does over seconds, said as it begins and as it ends."""
