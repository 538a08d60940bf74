"""The vitald daemon and its command line; rooms and floors are in docs/overview.md."""

__version__ = "0.1.0"
