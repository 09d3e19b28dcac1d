"""Launching, keeping and ending runs. Empty, because the shim below starts in milliseconds."""
