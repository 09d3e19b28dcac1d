"""The hosts of a cluster as one: brought up over ssh, taken down, and sent a run."""
