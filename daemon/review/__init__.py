"""What is asked of the past, from the store read-only: strips, how alarms load a bed, what other limits would have done."""
