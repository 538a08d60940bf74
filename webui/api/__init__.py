"""The box API, version 1, for machines: `/api/v1/...`, one file a resource (docs/api.md).

A machine shows a token (`Authorization: Bearer ...`); cookies mean nothing here. What each route needs stands beside it.
"""
