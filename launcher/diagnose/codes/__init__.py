"""What the codes in logs mean: of CANN and its parts, HCCL, ACL, the driver, torch_npu and the card itself."""

from launcher.diagnose.codes.dictionary import Explanation, explain

__all__ = ["Explanation", "explain"]
