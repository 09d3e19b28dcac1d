"""The files of a simulated host: version files, hccn.conf, device nodes, /proc and /sys, by path below its root."""

from __future__ import annotations

import ipaddress

from tests.site.state import HostState

LIMITS = {"nofile": 1048576, "nproc": 6192000, "memlock": None, "stack": 8388608}
_LIMIT_NAMES = {
    "nofile": ("Max open files", "files"),
    "nproc": ("Max processes", "processes"),
    "memlock": ("Max locked memory", "bytes"),
    "stack": ("Max stack size", "bytes"),
}


def files(state: HostState) -> dict[str, str]:
    """Path to text."""
    for_drivers = state.firmware_compatible or f"[{state.driver},{state.driver}.]"
    found = {
        "etc/hccn.conf": _hccn_conf(state),
        "etc/ascend_install.info": "Driver_Install_Type=full\nUserName=HwHiAiUser\nUserGroup=HwHiAiUser\n"
        "Driver_Install_Path_Param=/usr/local/Ascend\nDriver_Install_Mode=normal\nDriver_Install_For_All=no\n",
        "usr/local/Ascend/driver/version.info": f"Version={state.driver}\nascendhal_version=7.35.19\n"
        "aicpu_version=1.0\ntdt_version=1.0\nlog_version=1.0\nprof_version=2.0\ndvppkernels_version=1.1\n"
        "tsfw_version=1.0\nInnerversion=V100R001C15SPC006B220\ncompatible_version=[V100R001C30],[V100R001C13]\n"
        f"compatible_version_fw={state.driver_compatible}\npackage_version={state.driver}\n",
        "usr/local/Ascend/firmware/version.info": f"Version={state.firmware}\nfirmware_version=1.0\n"
        f"package_version={state.driver}\ncompatible_version_drv={for_drivers}\n",
        "proc/sys/kernel/hostname": f"{state.name}\n",
        "proc/sys/net/ipv4/ip_local_reserved_ports": f"{state.reserved_ports}\n",
        "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "proc/meminfo": f"MemTotal:       {state.memory // 1024} kB\nMemFree:        {state.memory // 2048} kB\n",
        "proc/self/limits": _limits({**LIMITS, **state.limits}),
        "proc/net/fib_trie": _fib_trie([a for a in state.own_addresses if ":" not in a]),
        "proc/net/if_inet6": "".join(_inet6(address) for address in state.own_addresses if ":" in address),
        "proc/net/tcp": _TCP_HEAD + "".join(_listening(number, port) for number, port in enumerate(state.listening)),
        "proc/net/tcp6": _TCP_HEAD,
        "sys/devices/system/cpu/online": f"0-{state.cpus - 1}\n",
        "dev/davinci_manager": "",
        "dev/devmm_svm": "",
        "dev/hisi_hdc": "",
    }
    for device in state.devices:
        if device.node:
            found[f"dev/davinci{device.id}"] = ""
        for process in device.processes:
            if process.in_proc:
                found[f"proc/{process.pid}/comm"] = f"{process.name or 'python3'}\n"
    for kind, version in (("toolkit", state.cann), ("nnae", state.nnae)):
        if version:
            found.update(_install(kind, version, state.architecture))
    return found


def links(state: HostState) -> dict[str, str]:
    """Path to what the symbolic link there points at."""
    found = {
        f"proc/{process.pid}/fd/{device.id + 9}": f"/dev/davinci{device.id}"
        for device in state.devices
        for process in device.processes
        if process.in_proc
    }
    for version, folder in ((state.cann, "ascend-toolkit"), (state.nnae, "nnae")):
        if version:
            found |= {f"usr/local/Ascend/{_latest(folder, version)}": _folder(folder, version).rpartition("/")[2]}
    return found


def cann_path(version: str) -> str:
    """The folder of the toolkit, as `cann:` of a cluster spec names it."""
    return f"/usr/local/Ascend/{_latest('ascend-toolkit', version)}"


def _is_new(version: str) -> bool:
    """CANN 8.5 moved: /usr/local/Ascend/cann instead of ascend-toolkit/latest."""
    major, minor = ([int(part) if part.isdecimal() else 0 for part in version.split(".")] + [0])[:2]
    return (major, minor) >= (8, 5)


def _latest(folder: str, version: str) -> str:
    return "cann" if folder == "ascend-toolkit" and _is_new(version) else f"{folder}/latest"


def _folder(folder: str, version: str) -> str:
    return f"cann-{version}" if folder == "ascend-toolkit" and _is_new(version) else f"{folder}/{version}"


def _install(kind: str, version: str, architecture: str) -> dict[str, str]:
    folder = _folder("ascend-toolkit" if kind == "toolkit" else kind, version)
    inside = "" if kind == "nnae" else f"{architecture}-linux/"
    text = (
        f"package_name=Ascend-cann-{kind}\nversion={version}\ninnerversion=V100R001C25SPC001B212\n"
        f"compatible_version=[V100R001C19],[V100R001C23]\narch={architecture}\nos=linux\n"
        f"path=/usr/local/Ascend/{folder}/{inside}\n"
    )
    found = {f"usr/local/Ascend/{folder}/{inside}ascend_{kind}_install.info": text}
    if kind == "toolkit":
        found[f"usr/local/Ascend/{folder}/set_env.sh"] = (
            f"export ASCEND_TOOLKIT_HOME={cann_path(version)}\nexport ASCEND_HOME_PATH=$ASCEND_TOOLKIT_HOME\n"
        )
        found[f"usr/local/Ascend/{folder}/compiler/version.info"] = f"Version={version}\n"
    return found


def _hccn_conf(state: HostState) -> str:
    if state.hccn_conf is not None:
        return "".join(f"address_{number}={address}\n" for number, address in state.hccn_conf.items())
    return "".join(
        f"address_{device.id}={device.ip}\nnetmask_{device.id}={device.netmask}\n"
        + (f"netdetect_{device.id}={device.gateway}\n" if device.gateway else "")
        for device in state.devices
        if device.ip
    )


def _limits(limits: dict[str, int | None]) -> str:
    lines = [f"{'Limit':<26}{'Soft Limit':<21}{'Hard Limit':<21}Units     "]
    for name, value in limits.items():
        words, unit = _LIMIT_NAMES[name]
        shown = "unlimited" if value is None else str(value)
        lines.append(f"{words:<26}{shown:<21}{shown:<21}{unit:<10}")
    return "\n".join(lines) + "\n"


def _fib_trie(addresses: list[str]) -> str:
    leaves = "".join(f"           |-- {address}\n              /32 host LOCAL\n" for address in addresses)
    return f"Local:\n  +-- 0.0.0.0/0 3 0 5\n{leaves}"


def _inet6(address: str) -> str:
    return f"{ipaddress.ip_address(address).packed.hex()} 04 40 00 80     eth0\n"


_TCP_HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    "                                                     \n"
)


def _listening(number: int, port: int) -> str:
    return f"{number:4}: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
