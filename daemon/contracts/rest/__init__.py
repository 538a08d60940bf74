"""Requests and replies of the REST side, one file a major version."""
