"""What the clouds are told of what happens at the beds: `messages.Dispatch`."""
