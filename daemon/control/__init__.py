"""Transport between the daemon and its other processes: HTTP and WebSocket over a Unix socket. No decisions are made here."""
