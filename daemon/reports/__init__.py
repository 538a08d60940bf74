"""Printed matter, one file a report: built in a short-lived process, from what is stored."""
