"""A minimal recipe with comments, to be filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.specs import Framework
from launcher.specs.dump import flow

_RANKS_MEET: Final[Mapping[Framework, str]] = {
    Framework.MINDSPORE: "the script calls mindspore.communication.init(); a scheduler is started beside the ranks",
    Framework.PYTORCH: "the script calls torch.distributed.init_process_group() as under torchrun",
    Framework.TENSORFLOW: "the script has RANK_TABLE_FILE, RANK_ID and RANK_SIZE; on CPU, TF_CONFIG",
    Framework.PLAIN: "ranks are told RANK_ID, RANK_SIZE and DEVICE_ID, and meet in their own way, if at all",
}

_TEMPLATE: Final = """\
# docs/specs.md has all that a recipe can say; `npu-launch schema recipe` prints it as JSON schema for editors.
name: {name}
framework: {framework}      # {meet}
ranks: 8                  # processes, one a device
script: train.py          # relative to this file

args:                     # batch_size: 32 becomes --batch_size=32; fast: true becomes --fast
  batch_size: 32
  checkpoint_dir: "{{checkpoint_dir}}"    # words in braces are filled in for each run

# env:                    # environment variables of every rank
#   {variable}

# cwd: "{{recipe_dir}}"     # if the script opens files beside it by relative paths; default: a folder for each rank
# data: [/data/my-dataset]      # paths that every host must have

checkpoint:
  dir: "{{run_dir}}/checkpoints"
  resume_arg: resume_from             # a restart adds --resume_from=<newest complete checkpoint>
  pattern: "{pattern}"                   # write under another name, then rename: a match is taken to be complete

restart:
  policy: group           # all ranks start again from the newest checkpoint; never: a failure ends the run
  max_restarts: 2
"""

_VARIABLES: Final[Mapping[Framework, str]] = {
    Framework.MINDSPORE: 'GLOG_v: "3"',
    Framework.PYTORCH: 'PYTORCH_NPU_ALLOC_CONF: "expandable_segments:True"',
    Framework.TENSORFLOW: 'ASCEND_GLOBAL_LOG_LEVEL: "3"',
    Framework.PLAIN: 'HCCL_CONNECT_TIMEOUT: "600"',
}
_PATTERNS: Final[Mapping[Framework, str]] = {
    Framework.MINDSPORE: "*.ckpt",
    Framework.PYTORCH: "*.pt",
    Framework.TENSORFLOW: "*.index",
    Framework.PLAIN: "*.ckpt",
}


def template(name: str, framework: Framework) -> str:
    """The text of a recipe for one's own script."""
    return _TEMPLATE.format(
        name=flow(name),
        framework=framework.value,
        meet=_RANKS_MEET[framework],
        variable=_VARIABLES[framework],
        pattern=_PATTERNS[framework],
    )
