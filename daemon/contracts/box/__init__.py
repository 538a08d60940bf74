"""Messages of the box itself, which belong to no device, one file a major version."""
