"""Whether the same run again may succeed as it is, by what it failed of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from launcher.diagnose.finding import Category, Confidence


class Retry(NamedTuple):
    """The answer, None where nobody can say, and the reason in both languages."""

    helps: bool | None
    why: str
    why_zh: str


_AGAIN_THE_SAME: Final = Retry(False, "the same input fails again", "相同的输入会再次失败")
_UNTIL_MENDED: Final = Retry(False, "it fails again until that is mended", "在修复之前会再次失败")
_MAY_PASS: Final = Retry(True, "it may pass: nothing of the job itself is wrong", "可能成功：作业本身没有问题")

_BY_CAUSE: Final[Mapping[str, Retry]] = {
    "device_oom": Retry(False, "the same shapes fail again", "相同的形状会再次失败"),
    "host_oom": Retry(False, "the same memory is needed again", "仍需要同样多的内存"),
    "shm_too_small": _UNTIL_MENDED,
    "worker_killed": _MAY_PASS,
    "device_occupied": Retry(True, "yes, once the card is free", "可以，待该卡空闲之后"),
    "device_lost": Retry(True, "yes, on devices that are well", "可以，但需使用正常的设备"),
    "port_in_use": Retry(True, "yes, on other ports", "可以，但需使用其他端口"),
    "hccl_port_in_use": Retry(True, "yes, on other ports", "可以，但需使用其他端口"),
    "network_download_failed": _MAY_PASS,
    "storage_io_error": _MAY_PASS,
    "terminal_hangup": _MAY_PASS,
    "peer_rank_exited": _MAY_PASS,
    "peer_rank_stuck": _MAY_PASS,
    "roce_link_error": _MAY_PASS,
    "hccl_param_mismatch": _AGAIN_THE_SAME,
    "hccl_config_mismatch": _UNTIL_MENDED,
    "hccl_env_invalid": _UNTIL_MENDED,
    "ranktable_invalid": _UNTIL_MENDED,
    "ranktable_device_ip_mismatch": _UNTIL_MENDED,
    "tls_mismatch": _UNTIL_MENDED,
    "hccl_buffer_oom": _UNTIL_MENDED,
    "host_network_interface": _UNTIL_MENDED,
    "dns_resolution_failed": _UNTIL_MENDED,
    "getnext_timeout": Retry(None, "perhaps: it depends on how fast the data comes", "不确定：取决于数据供给速度"),
}
_BY_CATEGORY: Final[Mapping[Category, Retry]] = {
    Category.MEMORY: _AGAIN_THE_SAME,
    Category.OPERATOR: _AGAIN_THE_SAME,
    Category.SOFTWARE_STACK: _UNTIL_MENDED,
    Category.ENVIRONMENT: _UNTIL_MENDED,
    Category.HARDWARE: Retry(True, "yes, on devices that are well", "可以，但需使用正常的设备"),
    Category.DATA: _AGAIN_THE_SAME,
    Category.PRECISION: Retry(
        None, "perhaps, from an earlier checkpoint: the numbers went wrong before", "不确定：可从更早的检查点再试"
    ),
    Category.USER_CODE: Retry(False, "the script fails in the same way", "脚本会以同样方式失败"),
}


def retry(cause: str, category: Category | None, confidence: Confidence) -> Retry | None:
    """What is known of a cause, or of those like it; None where nothing is, or the cause itself is hardly known."""
    if confidence is Confidence.LOW:
        return None
    found = _BY_CAUSE.get(cause)
    return found if found is not None or category is None else _BY_CATEGORY.get(category)
