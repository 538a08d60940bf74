"""VLP, our own link: what both ends of it share, and the host's side in parts. docs/vlp.md is its description."""
