"""Other hosts, reached by ssh."""
