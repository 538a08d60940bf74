"""What an oximeter says, followed through the night: desaturations, their index, time at low saturation. Pure, as all of `dsp`."""
