"""The electrocardiogram: where the beats are. Pure: arrays in, beats out, no I/O and no clock."""
