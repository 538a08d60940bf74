"""The forwarder: from the daemon's outbox to every cloud that is configured, whenever there is a network."""
