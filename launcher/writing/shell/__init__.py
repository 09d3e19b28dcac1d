"""Reads a shell script without running any of it: what it would start, with which arguments and variables."""
