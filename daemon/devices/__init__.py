"""The devices at the beds, as people act on them: what they offer to be set, and to which bed they belong."""
