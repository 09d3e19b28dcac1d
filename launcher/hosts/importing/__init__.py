"""A cluster from what other programs have written down of one: tables, host lists, `/etc/hccn.conf`."""

from launcher.hosts.importing.given import Given
from launcher.hosts.importing.kind import Kind, kind_of
from launcher.hosts.importing.sources import Imported, import_cluster

__all__ = ["Given", "Imported", "Kind", "import_cluster", "kind_of"]
