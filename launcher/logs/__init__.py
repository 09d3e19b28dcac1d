"""A run's log lines: read as they grow, made harmless, measured."""
