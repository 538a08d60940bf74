"""Messages of the service "oxygen", one file a major version."""
