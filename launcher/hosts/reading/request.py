"""What a host is asked, and where on a host the answers lie."""

from __future__ import annotations

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
_ASCEND: Final = (
    *(f"/cann{pattern}" for pattern in _CANN[:3]),
    *(f"/ascend-toolkit/latest{pattern}" for pattern in _CANN[:3]),
    *("/nnae/latest/ascend_nnae_install.info", "/nnae/latest/*-linux/ascend_nnae_install.info"),
)
_FOLLOW: Final = (
    {"file": INSTALL, "key": "Driver_Install_Path_Param", "globs": ["/driver/version.info", "/firmware/version.info"]},
    {"file": CANN_INSTALL, "key": "Install_Path", "globs": list(_ASCEND)},
    {"key": "ASCEND_HOME_PATH", "globs": list(_CANN)},
    {"key": "ASCEND_TOOLKIT_HOME", "globs": list(_CANN)},
)

_NPU_SMI: Final = ("/usr/local/bin/npu-smi", "/usr/local/sbin/npu-smi")
_HCCN_TOOL: Final = ("/usr/local/Ascend/driver/tools/hccn_tool",)
# Of the driver: sessions that no login shell has set up do not find them.
_LIBRARIES: Final = tuple(f"/usr/local/Ascend/driver/lib64{part}" for part in ("", "/common", "/driver"))


@dataclass(frozen=True)
class Request:
    """What hosts are asked beside their devices and versions.

    `python` is the interpreter whose packages count, `cann` CANN's folder (None: the usual places), `paths` what has to
    be looked for, `filesystems` paths whose room is measured, `ports` TCP ports that should be free.
    """

    level: Level = Level.FULL
    python: str = "python3"
    cann: str | None = None
    paths: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ("/dev/shm",)  # noqa: S108
    ports: tuple[int, ...] = ()


def probe_request(request: Request, host: Host, seconds: float) -> str:
    """The request as the probe on that host takes it: JSON."""
    is_full = request.level is Level.FULL
    cann = host.cann or request.cann
    asked: dict[str, Any] = {
        "seconds": seconds,
        "files": _FILES,
        "globs": [
            *([cann + pattern for pattern in _CANN] if cann else []),
            *("/usr/local/Ascend" + p for p in _ASCEND),
        ],
        "follow": _FOLLOW,
        "npu_smi": _NPU_SMI,
        "hccn_tool": _HCCN_TOOL,
        "libraries": _LIBRARIES,
        "ask_once": ["info", "info -m", *(["info -t topo"] if is_full else [])],
        "ask_device": ["-ip -g", *(["-link -g", "-net_health -g", "-tls -g"] if is_full else [])],
        "super_pods": is_full,
        "paths": request.paths,
        "filesystems": request.filesystems,
        "ports": request.ports,
        "python": host.python or request.python,
        "packages": PACKAGES,
    }
    return json.dumps(asked)
