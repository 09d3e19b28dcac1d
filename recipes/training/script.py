"""What a training script on MindSpore is: options, environment, and a task that is trained or evaluated."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from training.environment import read_environment
from training.errors import RecipeError
from training.framework import require
from training.options import MindSporeOptions, parse

if TYPE_CHECKING:
    from training.on_mindspore.task import Task

OptionsT = TypeVar("OptionsT", bound=MindSporeOptions)


def run(
    kind: type[OptionsT],
    prepare: Callable[[OptionsT, int], Callable[[], Task]],
    argv: Sequence[str],
    description: str | None,
) -> int:
    """Train, or with `--evaluate=CHECKPOINT` evaluate; the exit code.

    `prepare` looks at the data for options and a number of ranks, and returns what makes the task. MindSpore takes
    seconds to import, so that is done only after it, and whatever can be wrong without it is found first.
    """
    try:
        options, environment = parse(kind, argv, description), read_environment(os.environ)
        if environment.is_scheduler:
            require("mindspore")
            from training.on_mindspore.group import serve_as_scheduler

            serve_as_scheduler()
            return 0
        make_task = prepare(options, environment.ranks)
        require("mindspore")
        if options.evaluate:
            from training.on_mindspore.evaluator import evaluate

            return evaluate(make_task(), environment, options.evaluate)
        from training.on_mindspore.trainer import train

        return train(make_task(), environment)
    except RecipeError as error:
        print(f"{Path(sys.argv[0]).name}: error: {error}", file=sys.stderr, flush=True)
        return 2
