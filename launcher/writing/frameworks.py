"""Which framework a script trains with, as far as files and command lines tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from launcher.specs import Framework
from launcher.writing.starts import Starter

_IMPORT: Final = re.compile(
    r"^[ \t]*(?:import|from)[ \t]+(mindspore|mindformers|torch_npu|torch|tensorflow|npu_bridge)\b", re.MULTILINE
)
_OF_IMPORT: Final[Mapping[str, Framework]] = {
    **dict.fromkeys(("mindspore", "mindformers"), Framework.MINDSPORE),
    **dict.fromkeys(("torch", "torch_npu"), Framework.PYTORCH),
    **dict.fromkeys(("tensorflow", "npu_bridge"), Framework.TENSORFLOW),
}
_OF_STARTER: Final = {Starter.MSRUN: Framework.MINDSPORE, Starter.TORCHRUN: Framework.PYTORCH}
_OF_VARIABLE: Final[tuple[tuple[re.Pattern[str], Framework], ...]] = (
    (re.compile(r"MS_\w+|MINDSPORE_\w+"), Framework.MINDSPORE),
    (re.compile(r"PYTORCH_\w+|TORCH_\w+|MASTER_ADDR|MASTER_PORT|TASK_QUEUE_ENABLE|COMBINED_ENABLE"), Framework.PYTORCH),
    (re.compile(r"TF_\w+|JOB_ID|DEVICE_INDEX|CM_\w+"), Framework.TENSORFLOW),
    (re.compile(r"GLOG_\w+|DEVICE_NUM|RANK_TABLE_FILE"), Framework.MINDSPORE),
)
_OF_ARGUMENT: Final[tuple[tuple[re.Pattern[str], Framework], ...]] = (
    (re.compile(r"--(run_distribute|is_distributed|device_target|distribute)\b"), Framework.MINDSPORE),
    (re.compile(r"--(precision_mode|iterations_per_loop)\b"), Framework.TENSORFLOW),
    (re.compile(r"--(local[_-]rank|dist[_-](url|backend)|amp)\b"), Framework.PYTORCH),
)
_NAMED: Final = re.compile(r"(mindspore|mindformers)|(pytorch|torch)|(tensorflow)", re.IGNORECASE)


def framework_of(
    training: str | None, starter: Starter, variables: Iterable[str], arguments: Iterable[str], script: str
) -> Framework | None:
    """The framework; None when nothing tells.

    `training` is the text of the training script where it was found, `script` that of the shell script, whose comments
    and paths are asked last.
    """
    imported = _IMPORT.search(training or "")
    if imported is not None:
        return _OF_IMPORT[imported.group(1)]
    if starter in _OF_STARTER:
        return _OF_STARTER[starter]
    for patterns, texts in ((_OF_VARIABLE, tuple(variables)), (_OF_ARGUMENT, tuple(arguments))):
        for pattern, framework in patterns:
            if any(pattern.match(text) for text in texts):
                return framework
    named = _NAMED.search(script)
    if named is None:
        return None
    return (Framework.MINDSPORE, Framework.PYTORCH, Framework.TENSORFLOW)[(named.lastindex or 1) - 1]
