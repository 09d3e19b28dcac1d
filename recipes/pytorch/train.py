"""Train or evaluate a ResNet on images with DistributedDataParallel: alone, under torchrun, or under npu-launch.

    python train.py --dataset=/data/imagenet --checkpoint_dir=/data/checkpoints
    torchrun --nproc_per_node=8 train.py --dataset=/data/imagenet --amp=float16 --loss_scale=dynamic

`python train.py --help` lists the options. Exit code 0: trained; 1: the loss became NaN or infinite; 2: PyTorch is
missing, or an option, a data folder, a device or a checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from ddp.environment import read_place
from ddp.options import Options
from training.classification.data import open_dataset
from training.errors import RecipeError
from training.framework import require
from training.options import parse
from training.sampling import Sampling


def main(argv: Sequence[str]) -> int:
    try:
        # PyTorch takes seconds to import, so whatever can be wrong without it is looked at first.
        options, place = parse(Options, argv, __doc__), read_place(os.environ)
        dataset = open_dataset(options)
        if options.evaluate:
            require("torch")
            from ddp.evaluator import evaluate

            return evaluate(options, place, dataset)
        sampling = Sampling(dataset.train_images, options.batch_size, place.ranks, options.accumulation, options.seed)
        require("torch")
        from ddp.trainer import train

        return train(options, place, dataset, sampling)
    except RecipeError as error:
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
