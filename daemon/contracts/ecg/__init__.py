"""Messages of the service "ecg", one file a major version."""
