"""From ports to items: one thread with an event loop of its own serves all ports, so a blocked main loop loses no byte."""
