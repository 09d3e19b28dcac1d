"""Train ResNeXt-DeepLabV3 for semantic segmentation: alone, under msrun, or under npu-launch.

    python train.py --dataset=/data/VOCdevkit/VOC2012 --checkpoint_dir=/data/checkpoints

`python train.py --help` lists the options. Exit code 0: trained; 1: the loss became NaN or infinite; 2: an option, a
data folder or a checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from deeplabv3.data import open_dataset
from deeplabv3.environment import read_environment
from deeplabv3.errors import RecipeError
from deeplabv3.options import parse_options
from deeplabv3.sampling import Sampling


def main(argv: Sequence[str]) -> int:
    try:
        # MindSpore takes seconds to import, so whatever can be wrong without it is looked at first.
        options, environment = parse_options(argv), read_environment(os.environ)
        if environment.is_scheduler:
            from deeplabv3.group import serve_as_scheduler

            serve_as_scheduler()
            return 0
        dataset = open_dataset(options)
        sampling = Sampling(
            dataset.train_images, options.batch_size, environment.ranks, options.accumulation, options.seed
        )
        from deeplabv3.run import train

        return train(options, environment, dataset, sampling)
    except RecipeError as error:
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
