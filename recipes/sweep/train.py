"""Train a small network to tell the arms of a spiral apart: NumPy alone, one process, such as a rank of a sweep.

    python train.py --lr=0.3 --seed=1

`python train.py --help` lists the options. Exit code 0: trained; 1: the loss became NaN or infinite; 2: an option or a
checkpoint cannot be used, and one line on stderr says why.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from training import console
from training.checkpoint_folder import CheckpointFolder, require_same, require_same_parameters, unreadable
from training.errors import RecipeError
from training.options import must_exist, option, parse
from training.sampling import Sampling

_TRAINING, _EVALUATION = 0, 1  # streams of random numbers: no point is in both
_EVALUATED = 3000
_ARMS = 3

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Options:
    lr: float = option(0.1, "learning rate")
    seed: int = option(1, "decides initial weights and the order of the points; the points are always the same")
    momentum: float = option(0.9, "momentum of SGD, below 1")
    hidden: int = option(32, "units of the hidden layer")
    points: int = option(3000, "points of one epoch")
    batch_size: int = option(50, "points of one step")
    epochs: int = option(20, "passes over the points")
    checkpoint_dir: str = option("", "folder of checkpoints (empty: none are written)")
    checkpoint_every: int = option(100, "steps between checkpoints")
    resume_from: str = option("", "checkpoint to continue from")

    def __post_init__(self) -> None:
        for name in ("hidden", "points", "batch_size", "epochs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise RecipeError(f"--{name}={getattr(self, name)}: expected a number of at least 1")
        if not 0 < self.lr < float("inf"):
            raise RecipeError(f"--lr={self.lr}: expected a positive number")
        if not 0 <= self.momentum < 1:
            raise RecipeError(f"--momentum={self.momentum}: expected a number from 0, below 1")
        if self.seed < 0:
            raise RecipeError(f"--seed={self.seed}: expected a number of at least 0")
        must_exist(self.resume_from, "--resume_from", "a checkpoint of this script")

    @property
    def facts(self) -> Mapping[str, object]:
        """What decides the weights after a given step."""
        apart = ("epochs", "checkpoint_dir", "checkpoint_every", "resume_from")
        return {name: value for name, value in asdict(self).items() if name not in apart}


def spiral(stream: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in the plane (count, 2), and which arm of a spiral each belongs to (count)."""
    random = np.random.default_rng([2026, stream])
    arms = np.arange(count) % _ARMS
    radius = random.uniform(0.05, 1.0, count)
    angle = 2 * np.pi * arms / _ARMS + 5 * radius + 0.3 * random.standard_normal(count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), arms


def initial_weights(hidden: int, seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        "weight1": random.standard_normal((2, hidden)),
        "bias1": np.zeros(hidden),
        "weight2": random.standard_normal((hidden, _ARMS)) / np.sqrt(hidden),
        "bias2": np.zeros(_ARMS),
    }


def forward(weights: Arrays, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hidden layer, and the logarithm of the probability of each arm."""
    hidden = np.tanh(points @ weights["weight1"] + weights["bias1"])
    scores = hidden @ weights["weight2"] + weights["bias2"]
    scores = scores - scores.max(axis=1, keepdims=True)
    return hidden, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def loss_and_gradients(weights: Arrays, points: np.ndarray, arms: np.ndarray) -> tuple[float, Arrays]:
    """Cross entropy, mean over the points, and its gradient by each weight."""
    hidden, logarithms = forward(weights, points)
    rows = np.arange(len(arms))
    by_scores = np.exp(logarithms)
    by_scores[rows, arms] -= 1
    by_scores /= len(arms)
    by_hidden = by_scores @ weights["weight2"].T * (1 - hidden**2)
    return float(-logarithms[rows, arms].mean()), {
        "weight1": points.T @ by_hidden,
        "bias1": by_hidden.sum(axis=0),
        "weight2": hidden.T @ by_scores,
        "bias2": by_scores.sum(axis=0),
    }


@dataclass
class State:
    """All that a step changes."""

    step: int
    weights: Arrays
    velocity: Arrays

    @classmethod
    def fresh(cls, options: Options) -> State:
        weights = initial_weights(options.hidden, options.seed)
        return cls(0, weights, {name: np.zeros_like(array) for name, array in weights.items()})

    def descend(self, gradients: Arrays, options: Options) -> None:
        for name, gradient in gradients.items():
            self.velocity[name] = options.momentum * self.velocity[name] + gradient
            self.weights[name] = self.weights[name] - options.lr * self.velocity[name]
        self.step += 1

    def write(self, path: Path, facts: Mapping[str, object]) -> None:
        arrays = {f"weights/{name}": array for name, array in self.weights.items()}
        arrays |= {f"velocity/{name}": array for name, array in self.velocity.items()}
        with path.open("wb") as file:
            np.savez(file, step=self.step, **{f"facts/{name}": value for name, value in facts.items()}, **arrays)

    @classmethod
    def read(cls, path: str, options: Options) -> State:
        """Raises RecipeError for a file that is no checkpoint, or one of a run with other facts or weights."""
        try:
            with np.load(path) as file:
                found = {name: file[name] for name in file.files}
            step = int(found["step"])
            facts = {name: array.item() for name, array in _below("facts", found).items()}
        except Exception as error:  # what a damaged file raises depends on where the damage is
            raise unreadable(path, error) from error
        require_same(path, facts, options.facts)
        state = cls(step, _below("weights", found), _below("velocity", found))
        require_same_parameters(path, state.shapes(), cls.fresh(options).shapes())
        return state

    def shapes(self) -> dict[str, object]:
        """Shape and type of each array, by name."""
        every = {**self.weights, **{f"velocity of {name}": array for name, array in self.velocity.items()}}
        return {name: (array.shape, str(array.dtype)) for name, array in every.items()}


def _below(head: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{head}/"): array for name, array in arrays.items() if name.startswith(f"{head}/")}


def train(options: Options) -> int:
    """Train from the first step, or from a checkpoint, to the last; the exit code."""
    points, arms = spiral(_TRAINING, options.points)
    sampling = Sampling(options.points, options.batch_size, ranks=1, accumulation=1, seed=options.seed)
    folder = CheckpointFolder(options.checkpoint_dir, keep=2) if options.checkpoint_dir else None
    console.say(console.training(options.epochs, sampling.steps_per_epoch, options.batch_size, 1))
    state = State.read(options.resume_from, options) if options.resume_from else State.fresh(options)
    last_step = options.epochs * sampling.steps_per_epoch
    if state.step > last_step:
        raise RecipeError(
            f"{options.resume_from}: is of step {state.step}, and --epochs={options.epochs} end at step {last_step}: "
            "raise --epochs, or resume from an earlier one"
        )
    if options.resume_from:
        console.say(console.resumed(options.resume_from, state.step))
    while state.step < last_step:
        epoch, done = divmod(state.step, sampling.steps_per_epoch)
        for number, batch in enumerate(sampling.micro_batches(epoch, 0, first=done), start=done + 1):
            loss, gradients = loss_and_gradients(state.weights, points[batch], arms[batch])
            if not np.isfinite(loss):
                console.say(console.not_finite(epoch + 1, number))
                return 1
            console.say(console.loss(epoch + 1, number, loss))
            state.descend(gradients, options)
            if folder and (state.step % options.checkpoint_every == 0 or state.step == last_step):
                saved = folder.save(state.step, lambda path: state.write(path, options.facts))
                console.say(console.checkpoint_saved(saved, state.step))
    console.say(console.evaluation(options.epochs, {"accuracy": accuracy(state.weights)}))
    return 0


def accuracy(weights: Arrays) -> float:
    """The share of points, of which none was trained on, whose arm is told rightly."""
    points, arms = spiral(_EVALUATION, _EVALUATED)
    return float((forward(weights, points)[1].argmax(axis=1) == arms).mean())


def main(argv: Sequence[str]) -> int:
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is told
            return train(parse(Options, argv, __doc__))
    except RecipeError as error:
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
