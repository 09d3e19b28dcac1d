"""A simulated Ascend site: hosts whose files and tools answer as real ones do. README.md says how to use it."""

from tests.site.simulated import SimulatedHost, Site
from tests.site.state import DeviceState, HostState, Process, ToolAnswer

__all__ = ["DeviceState", "HostState", "Process", "SimulatedHost", "Site", "ToolAnswer"]
