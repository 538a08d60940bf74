"""The reference cloud: what the seeds ask of backends (REST plan, roadmap, orchestrator), on PostgreSQL.

It is for tests and demos, and for a backend team to hold its own beside: `python -m tests.cloud --help`. It takes what
docs/contracts/ describes, each record once whatever the network does, and gives samples back bit for bit.
"""
