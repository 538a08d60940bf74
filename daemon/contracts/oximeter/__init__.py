"""Messages of the service "oximeter", one file a major version."""
