"""The durable store: every sample, finding and event of the box in one SQLite file (see docs/store.md).

`writer` is the only one that writes, in the daemon; `reader` is read-only and usable from any process.
"""
