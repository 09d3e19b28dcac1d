"""Train a residual network on CIFAR-10 with TensorFlow 1.15 or 2.6: on NPUs by TF Adapter, else on the CPU.

    python train.py --dataset=/data/cifar-10-batches-bin --checkpoint_dir=/data/checkpoints

`python train.py --help` lists the options. Exit code 0: trained; 1: the loss became NaN; 2: TensorFlow or its adapter
is missing, or an option, a variable of the environment, a data folder or a checkpoint cannot be used, and one line on
stderr says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from cifar_cnn.framework import load_tensorflow
from cifar_cnn.npu import npu_settings
from cifar_cnn.options import Options
from cifar_cnn.place import read_place
from cifar_cnn.source import open_source
from cifar_cnn.steps import count_steps
from training.errors import RecipeError
from training.options import must_exist, parse


def main(argv: Sequence[str]) -> int:
    try:
        # TensorFlow takes seconds to import, so whatever can be wrong without it is looked at first.
        options = parse(Options, argv, __doc__)
        adapter_is_installed = any(find_spec(name) is not None for name in ("npu_bridge", "npu_device"))
        place = read_place(os.environ, adapter_is_installed)
        settings = npu_settings(options, place, os.environ)
        if place.rank == 0:  # which alone reads it: on another host it need not be
            must_exist(options.resume_from, "--resume_from", "the model.ckpt-<step>.index of a checkpoint")
        source = open_source(options)
        steps = count_steps(options, source.train.images, place.ranks)
        tf = load_tensorflow()
        from cifar_cnn.devices import OnCpu, OnNpu
        from cifar_cnn.run import Job, train

        return train(tf, OnNpu(tf, settings) if place.on_npu else OnCpu(tf), Job(options, place, source, steps))
    except RecipeError as error:
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
