"""An oxygen concentrator: what it gives, whether it has warmed up, and how its compressor and valves do. Pure, as all of `dsp`."""
