"""Samples in, findings out. Pure numpy: no I/O, no clock, no log; every stage works in fixed hops of the sample number."""
