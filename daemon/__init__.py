"""The vitald daemon and its command line; rooms and floors are in docs/overview.md."""
