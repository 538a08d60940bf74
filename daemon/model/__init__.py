"""The words that all rooms share. Plain frozen data: no I/O, no clocks, no behaviour beyond arithmetic on themselves."""
