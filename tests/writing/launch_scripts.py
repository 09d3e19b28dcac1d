"""The captured launch scripts: where each would lie, what lies beside it, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from launcher.writing.from_script import Script, launch_of
from launcher.writing.recipe_text import recipe_text

CAPTURES: Final = Path(__file__).parents[1] / "captures" / "launch_scripts"
HOME: Final = PurePosixPath("/lab/model")  # the recipe is written here


@dataclass(frozen=True)
class Case:
    """A script under HOME, the other files there by path, and its arguments, or None where nobody says."""

    path: str
    files: Mapping[str, str] = field(default_factory=dict)
    given: tuple[str, ...] | None = None


MINDSPORE: Final = "import mindspore as ms\n"
TORCH: Final = "import argparse\nimport torch\nimport torch_npu\n"

CASES: Final[Mapping[str, Case]] = {
    "mindspore_resnet_8p": Case("scripts/run_distribute_train.sh", {"train.py": MINDSPORE}),
    "mindspore_two_servers": Case("scripts/run_distribute_train_16p.sh", {"train.py": ""}),
    "mindspore_mpirun": Case("scripts/run_distribute_train_mpi.sh", {"train.py": MINDSPORE}),
    "mindspore_msrun": Case("run_msrun.sh", {"net.py": MINDSPORE}),
    "mindformers_msrun": Case(
        "scripts/msrun_launcher.sh",
        {"run_mindformer.py": "from mindformers import Trainer\n"},
        ("run_mindformer.py --config configs/llama2/run_llama2_7b.yaml --run_mode train", "16"),
    ),
    "pytorch_train_full_8p": Case(
        "test/train_full_8p.sh", {"main.py": TORCH}, ("--data_path=/data/imagenet", "--epochs=90")
    ),
    "pytorch_ranks_by_loop": Case(
        "test/train_full_8p.sh",
        {
            "tools/train.py": TORCH,
            "scripts/env_npu.sh": "export TASK_QUEUE_ENABLE=1\nexport HCCL_WHITELIST_DISABLE=1\n",
        },
    ),
    "pytorch_distributed_launch": Case("tools/dist_train.sh", {"tools/train.py": TORCH}),
    "megatron_pretrain_gpt": Case("pretrain_gpt.sh", {"pretrain_gpt.py": TORCH}),
    "torchrun_functions": Case("run.sh", {"src/train.py": TORCH}),
    "tensorflow_8p": Case("test/train_full_8p.sh", {"official/r1/resnet/imagenet_main.py": "from absl import app\n"}),
    "sweep_of_seeds": Case("sweep.sh", {"fit.sh": "#!/bin/sh\n"}),
}


def read_beside(case: Case, path: str) -> str | None:
    """The text of a file under HOME, as the rim of the command reads it."""
    files = {str(HOME / name): text for name, text in case.files.items()}
    return files.get(path)


def written(name: str) -> str:
    """The recipe of a captured script."""
    case = CASES[name]
    script = Script(str(HOME / case.path), (CAPTURES / f"{name}.sh").read_text(), case.given)
    launch = launch_of(script, name, lambda path: read_beside(case, path))
    return recipe_text(launch, PurePosixPath(case.path).name, Path(HOME))
