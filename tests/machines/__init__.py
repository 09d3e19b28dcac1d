"""Several machines on this one, for tests of many hosts: see README.md."""

from tests.machines.fleet import Machines, need_machines
from tests.machines.machine import Machine

__all__ = ["Machine", "Machines", "need_machines"]
