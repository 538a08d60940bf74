"""Formats of others: one file a format, in and out."""
