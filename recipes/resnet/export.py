"""Write the network of a checkpoint as MINDIR, which MindSpore Lite and ATC take without this code, and check the file.

    python export.py --checkpoint=/data/checkpoints/step_00112590.ckpt --output=resnet50.mindir

`python export.py --help` lists the options. Exit code 0: the file is there, and gives the scores of the network; 1: it
gives others; 2: MindSpore is missing, or an option or the checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from training.console import say
from training.environment import read_environment
from training.errors import RecipeError
from training.framework import require
from training.options import at_least, must_exist, option, parse


@dataclass(frozen=True)
class ExportOptions:
    checkpoint: str = option("", "checkpoint of train.py; it says of which network")
    output: str = option("resnet.mindir", "file to write")
    image_size: int = option(224, "side of the square the exported network sees, in pixels")
    batch_size: int = option(1, "images that it takes at once")

    def __post_init__(self) -> None:
        at_least(self, {"image_size": 32, "batch_size": 1})
        if not self.checkpoint:
            raise RecipeError("--checkpoint=FILE: expected a checkpoint of train.py")
        must_exist(self.checkpoint, "--checkpoint", "a checkpoint of train.py")
        if Path(self.output).suffix != ".mindir":
            raise RecipeError(f"--output={self.output}: expected a name that ends in .mindir")
        if not Path(self.output).absolute().parent.is_dir():
            raise RecipeError(f"--output={self.output}: its folder is not there")


def main(argv: Sequence[str]) -> int:
    try:
        options, environment = parse(ExportOptions, argv, __doc__), read_environment(os.environ)
        require("mindspore")
        from residual.mindir import LARGEST_DIFFERENCE, export
        from training.on_mindspore.device import set_device

        set_device(environment)
        difference = export(options.checkpoint, options.output, options.image_size, options.batch_size)
    except RecipeError as error:
        print(f"export.py: error: {error}", file=sys.stderr, flush=True)
        return 2
    say(f"exported: {options.output}, scores differ from the network's by {difference:.1e} of the largest")
    return 0 if difference <= LARGEST_DIFFERENCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
