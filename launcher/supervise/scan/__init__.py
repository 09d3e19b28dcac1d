"""Looks through the logs of one host's ranks while they are written, and tells the host's shim what it sees.

It is a process of its own, because expressions of rules, those of a user among them, may take as long as they like, and
hold nobody up here. It lives as long as its host has ranks that run. What it tells goes the way of all that happens on
a host: the shim numbers it, and keeps it for whoever supervises. Whether it has been told before it reads there too, so
that one that was killed is replaced by one that begins anew, and nothing is told twice.
"""
