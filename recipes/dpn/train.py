"""Train the Deep Parsing Network for semantic segmentation: alone, under msrun, or under npu-launch.

    python train.py --dataset=/data/VOCdevkit/VOC2012 --fc6_kernel=7 --fc6_dilation=4 --mrf_stride=4 --local_window=12

`python train.py --help` lists the options; `python memory.py` takes the same, and says what they need of a device's
memory. Exit code 0: trained; 1: the loss became NaN or infinite; 2: MindSpore is missing, or an option, a data folder
or a checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from parsing.options import Options
from training import script
from training.sampling import Sampling
from training.segmentation.data import open_dataset

if TYPE_CHECKING:
    from parsing.task import ParsingTask


def prepare(options: Options, ranks: int) -> Callable[[], ParsingTask]:
    dataset = open_dataset(options)
    sampling = Sampling(dataset.train_images, options.batch_size, ranks, options.accumulation, options.seed)

    def task() -> ParsingTask:
        from parsing.task import ParsingTask

        return ParsingTask(options, sampling, dataset)

    return task


if __name__ == "__main__":
    sys.exit(script.run(Options, prepare, sys.argv[1:], __doc__))
