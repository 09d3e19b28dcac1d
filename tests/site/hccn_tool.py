"""What `hccn_tool` of a simulated host prints, by command line.

Texts follow Ascend/mind-cluster (faultdiag: 03_collecting_logs.md, npu_info_before.txt, npu_info_parser) and the HCCL
user guide. What it says for a device that is not there is not documented: `WRONG` stands for it.
"""

from __future__ import annotations

from tests.site.state import DeviceState, HostState

WRONG = "Invalid device id.\n"


def answers(state: HostState) -> dict[str, str]:
    """Command line (`hccn_tool -i 0 -link -g`) to output."""
    found = {}
    for device in state.devices:
        for what, text in _of(device).items():
            found[f"hccn_tool -i {device.id} {what} -g"] = text
    return found


def _of(device: DeviceState) -> dict[str, str]:
    return {
        "-ip": f"ipaddr:{device.ip}\nnetmask:{device.netmask}\n" if device.ip else "",
        "-link": f"link status: {device.link}\n",
        "-net_health": f"net health status: {device.net_health}\n",
        "-gateway": f"default gateway:{device.gateway}, Iface:eth{device.id}\n" if device.gateway else "",
        "-netdetect": f"netdetect address: {device.gateway}\n" if device.gateway else "",
        "-tls": f"dev_id:{device.id}, tls switch[{int(device.tls)}](0:disable, 1:enable), tls preconfigured[1]"
        "(0:non-preset, 1:preset), tls alarm time threshold[60]days\n",
        "-optical": _optical(device),
        "-fec": "fec mode: rs FEC mode\n",
        "-lldp": f"Port ID TLV\n\tIfname: 200GE1/0/{device.id + 1}\nSystem Name TLV\n\tleaf-1\n",
        "-stat": "packet statistics:\nmac_tx_pfc_pkt_num:0\nroce_rx_err_pkt_num:0\nnic_rx_all_pkg_num:6414803\n",
    }


def _optical(device: DeviceState) -> str:
    if device.optical == "unreachable":
        return "Control link unreachable\n"
    if device.optical != "present":
        return f"optical info:\npresent              : {device.optical}\n"
    up = device.link == "UP"
    received = "1.0204 mW" if up else "0.0000 mW"
    lanes = "".join(f"Tx Power{lane}            : 1.0035 mW\n" for lane in range(4))
    lanes += "".join(f"Rx Power{lane}            : {received}\n" for lane in range(4))
    return (
        "optical info:\npresent              : present\ntemperature          : 47 C\n"
        "vendor name          : HG GENUINE\n"
        f"{lanes}Tx Los Flag          : 0x0\nRx Los Flag          : {'0x0' if up else '0xff'}\n"
        "Media SNR Lane0      : 23.1211 dB\n"
    )
