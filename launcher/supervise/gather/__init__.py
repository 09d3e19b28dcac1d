"""The evidence of a failure: taken on every host, brought to the run's home, and from there to who launched it.

What runs on a host is plain functions that a HostLink, or ssh, calls (`snapshot`, `sources`); what is wanted next, and
what of a long file is kept, is decided where it comes to (`transfer`, `cutting`).
"""
