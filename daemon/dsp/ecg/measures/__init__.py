"""What is measured over several beats: amplitudes and ST of the median beat, axes, variability of the rate, breathing."""
