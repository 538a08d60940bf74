"""Breathing from the flow at a mask: breaths, volumes, leak, what disturbs breathing, and the night. Pure, as all of `dsp`."""
