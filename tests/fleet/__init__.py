"""Runs on several hosts, from bare machines to the end of a run: real sshd, real Ray, on machines of namespaces."""
