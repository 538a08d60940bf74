"""The REST side of the reference cloud, one file a subject."""
