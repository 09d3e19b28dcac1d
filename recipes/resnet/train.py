"""Train ResNet for image classification: alone, under msrun, or under npu-launch.

    python train.py --dataset=/data/imagenet --checkpoint_dir=/data/checkpoints

`python train.py --help` lists the options. Exit code 0: trained; 1: the loss became NaN or infinite; 2: MindSpore is
missing, or an option, a data folder or a checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from residual.options import Options
from training import script
from training.classification.data import open_dataset
from training.sampling import Sampling

if TYPE_CHECKING:
    from residual.task import ResNetTask


def prepare(options: Options, ranks: int) -> Callable[[], ResNetTask]:
    dataset = open_dataset(options)
    sampling = Sampling(dataset.train_images, options.batch_size, ranks, options.accumulation, options.seed)

    def task() -> ResNetTask:
        from residual.task import ResNetTask

        return ResNetTask(options, sampling, dataset)

    return task


if __name__ == "__main__":
    sys.exit(script.run(Options, prepare, sys.argv[1:], __doc__))
