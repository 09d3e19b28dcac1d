"""A run as an archive that can be given away: what it was, what it said, and nothing that is secret."""
