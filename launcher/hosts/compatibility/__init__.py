"""Which versions of the Ascend software go together, as tables with their public sources."""

from launcher.hosts.compatibility.answer import Answer, Verdict
from launcher.hosts.compatibility.drivers import compatible, driver_for_firmware, firmware_for_driver
from launcher.hosts.compatibility.mindspore import mindspore_on, mindspore_on_python
from launcher.hosts.compatibility.ordering import Version
from launcher.hosts.compatibility.torch import torch_npu_for, torch_npu_on, torch_npu_serves, torch_on_python

__all__ = [
    "Answer",
    "Verdict",
    "Version",
    "compatible",
    "driver_for_firmware",
    "firmware_for_driver",
    "mindspore_on",
    "mindspore_on_python",
    "torch_npu_for",
    "torch_npu_on",
    "torch_npu_serves",
    "torch_on_python",
]
