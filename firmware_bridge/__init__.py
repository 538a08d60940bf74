"""Bytes to meaning, for every device. Imports nothing else of ours and does no I/O outside recordings/ and simulators/."""
