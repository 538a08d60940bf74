"""The nurse's page: a process of its own, which sees the daemon through its socket and the store through its reader."""
