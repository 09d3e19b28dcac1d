"""A training from its first step to its last, and the evaluation after it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import console
from training.console import say
from training.schedule import Schedule

from cifar_cnn.checkpoint import digest, start_from
from cifar_cnn.data import evaluation_images, training_images
from cifar_cnn.devices import OnCpu, OnNpu
from cifar_cnn.model import model_function
from cifar_cnn.options import Options
from cifar_cnn.place import Place
from cifar_cnn.source import Source
from cifar_cnn.steps import Steps


@dataclass(frozen=True)
class Job:
    """What one rank trains, and its place in it."""

    options: Options
    place: Place
    source: Source
    steps: Steps


def train(tf: Any, device: OnNpu | OnCpu, job: Job) -> int:
    """Train, and evaluate on rank 0. The exit code: 0, or 1 if the loss became NaN."""
    options, steps = job.options, job.steps
    tf.logging.set_verbosity(tf.logging.INFO)  # an Estimator's own lines of losses and checkpoints
    say(device.line)
    say(console.training(options.epochs, steps.per_epoch, options.batch_size, job.place.ranks))
    with tempfile.TemporaryDirectory() as temporary:
        # Rank 0 alone has checkpoints. The others get its variables, also those that it has from a checkpoint.
        is_first = job.place.rank == 0
        folder = Path(options.checkpoint_dir if is_first and options.checkpoint_dir else temporary).absolute()
        if is_first:
            start_from(tf, folder, options)
            if options.resume_from:
                say(console.resumed(options.resume_from, steps.done))
        estimator = _estimator(tf, device, job, folder)
        if steps.done < steps.total and not _trained(tf, estimator, job):
            return 1
        if is_first:
            say(console.weights(digest(estimator), steps.total))
            _evaluate(tf, estimator, job)
    return 0


def _estimator(tf: Any, device: OnNpu | OnCpu, job: Job, folder: Path) -> Any:
    options = job.options
    schedule = Schedule(options.schedule, job.steps.total, options.learning_rate, warmup_steps=options.warmup_steps)
    run_config = {
        "model_dir": str(folder),
        "tf_random_seed": options.seed,
        # By steps, never by seconds: on several devices the adapter cannot.
        "save_checkpoints_steps": options.checkpoint_every if job.place.rank == 0 else 0,
        "keep_checkpoint_max": options.keep_checkpoints,
        "log_step_count_steps": options.log_every,
        "save_summary_steps": 0,
    }
    return device.estimator(model_function(tf, options, schedule.rates(), device.optimizer), run_config)


def _trained(tf: Any, estimator: Any, job: Job) -> bool:
    """Train to the last step; whether the loss stayed a number."""

    def images() -> Any:
        batch_size, seed = job.options.batch_size, job.options.seed
        return training_images(tf, job.source.train, batch_size, seed, job.place.rank, job.place.ranks, job.steps.done)

    try:
        estimator.train(images, max_steps=job.steps.total)
    except tf.train.NanLossDuringTrainingError:
        say("loss is NAN, training process cannot continue, terminating training.")
        return False
    return True


def _evaluate(tf: Any, estimator: Any, job: Job) -> None:
    part, options = job.source.evaluation, job.options
    if part.images:
        size = min(options.batch_size, part.images)
        found = estimator.evaluate(lambda: evaluation_images(tf, part, size, options.seed))
        say(console.evaluation(options.epochs, {name: float(found[name]) for name in ("loss", "accuracy")}))
