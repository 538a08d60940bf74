"""Messages of the service "cpap", one file a major version."""
