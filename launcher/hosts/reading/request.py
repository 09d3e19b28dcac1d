"""What a host is asked, and where on a host the answers lie."""

from __future__ import annotations

import glob
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from launcher.specs import Host


class Level(str, Enum):
    """How much is asked: `fast` is what takes little time on every start, `full` all there is to know."""

    FAST = "fast"
    FULL = "full"


PACKAGES: Final = ("mindspore", "mindspore_ascend", "torch", "torch_npu", "tensorflow", "tensorflow_cpu", "npu_bridge")

_ASCEND: Final = "/usr/local/Ascend"

DRIVER: Final = "/usr/local/Ascend/driver/version.info"
FIRMWARE: Final = "/usr/local/Ascend/firmware/version.info"
HCCN_CONF: Final = "/etc/hccn.conf"
HOSTNAME: Final = "/proc/sys/kernel/hostname"
RESERVED_PORTS: Final = "/proc/sys/net/ipv4/ip_local_reserved_ports"
LIMITS: Final = "/proc/self/limits"
MEMORY: Final = "/proc/meminfo"
CPUS: Final = "/sys/devices/system/cpu/online"
ROUTES: Final = "/proc/net/fib_trie"
ROUTES_6: Final = "/proc/net/if_inet6"
INSTALL: Final = "/etc/ascend_install.info"
CANN_INSTALL: Final = "/etc/Ascend/ascend_cann_install.info"

_FILES: Final = (
    *(DRIVER, FIRMWARE, HCCN_CONF, HOSTNAME, RESERVED_PORTS, LIMITS, MEMORY, CPUS, ROUTES, ROUTES_6),
    *(INSTALL, CANN_INSTALL),
)

# Where CANN's parts say their version: until 8.3 below ascend-toolkit/latest, from 8.5 below cann (Ascend/mind-cluster,
# faultdiag 03_collecting_logs.md; CANN 8.5.0 release notes).
_CANN: Final = (
    "/*-linux/ascend_toolkit_install.info",
    "/ascend_toolkit_install.info",
    "/compiler/version.info",
    "/ascend_nnae_install.info",
)
_NNAE: Final = ("/nnae/latest/ascend_nnae_install.info", "/nnae/latest/*-linux/ascend_nnae_install.info")
_USUAL: Final = (*(f"/{folder}{part}" for folder in ("cann", "ascend-toolkit/latest") for part in _CANN[:3]), *_NNAE)
_FOLLOW_DRIVER: Final = {
    "file": INSTALL,
    "key": "Driver_Install_Path_Param",
    "globs": ["/driver/version.info", "/firmware/version.info"],
}
_FOLLOW_CANN: Final = (
    {"file": CANN_INSTALL, "key": "Install_Path", "globs": _USUAL},
    {"key": "ASCEND_HOME_PATH", "globs": _CANN},
    {"key": "ASCEND_TOOLKIT_HOME", "globs": _CANN},
)

NPU_SMI: Final = ("/usr/local/bin/npu-smi", "/usr/local/sbin/npu-smi")
HCCN_TOOL: Final = ("/usr/local/Ascend/driver/tools/hccn_tool",)
# Of the driver: sessions that no login shell has set up do not find them.
LIBRARIES: Final = tuple(f"/usr/local/Ascend/driver/lib64{part}" for part in ("", "/common", "/driver"))


@dataclass(frozen=True)
class Request:
    """What hosts are asked beside their devices and versions.

    `paths` is what has to be looked for, `filesystems` paths whose room is measured, `ports` TCP ports that should be
    free.
    """

    level: Level = Level.FULL
    paths: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ("/dev/shm",)  # noqa: S108
    ports: tuple[int, ...] = ()


def probe_request(request: Request, host: Host, seconds: float) -> str:
    """The request as the probe on that host takes it: JSON.

    `host.python` is the interpreter whose packages count (None: python3), `host.cann` the only folder where CANN is
    looked for (None: all usual ones).
    """
    is_full = request.level is Level.FULL
    places = [glob.escape(host.cann) + part for part in _CANN] if host.cann else [_ASCEND + part for part in _USUAL]
    asked: dict[str, Any] = {
        "seconds": seconds,
        "files": _FILES,
        "globs": [*places, *(_ASCEND + part for part in _NNAE)],
        "follow": [_FOLLOW_DRIVER, *(() if host.cann else _FOLLOW_CANN)],
        "npu_smi": NPU_SMI,
        "hccn_tool": HCCN_TOOL,
        "libraries": LIBRARIES,
        "ask_once": ["info", "info -m", *(["info -t topo"] if is_full else [])],
        "ask_device": ["-ip -g", *(["-link -g", "-net_health -g", "-tls -g"] if is_full else [])],
        "super_pods": is_full,
        "paths": request.paths,
        "filesystems": request.filesystems,
        "ports": request.ports,
        "python": host.python or "python3",
        "packages": PACKAGES,
    }
    return json.dumps(asked)
