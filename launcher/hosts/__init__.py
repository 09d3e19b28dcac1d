"""What hosts there are, and what they are like."""

from launcher.hosts.this_machine import check_this_machine, resolve_cluster

__all__ = ["check_this_machine", "resolve_cluster"]
