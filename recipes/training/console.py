"""The lines a run prints; losses, times and evaluations in the formats of MindSpore's own callbacks."""

from __future__ import annotations

from collections.abc import Mapping


def say(line: str) -> None:
    """Print a line in one piece, even unbuffered: under torchrun all ranks write to one file."""
    print(f"{line}\n", end="", flush=True)


def training(epochs: int, steps_per_epoch: int, batch_size: int, ranks: int) -> str:
    return (
        f"training: epochs: {epochs}, steps per epoch: {steps_per_epoch}, batch per rank: {batch_size}, ranks: {ranks}"
    )


def loss(epoch: int, step: int, value: float) -> str:
    return f"epoch: {epoch} step: {step}, loss is {value}"


def not_finite(epoch: int, step: int) -> str:
    return (
        f"In epoch: {epoch} step: {step}, loss is NAN or INF, training process cannot continue, terminating training."
    )


def skipped(epoch: int, step: int, loss_scale: float, so_far: int) -> str:
    return f"epoch: {epoch} step: {step}, overflow, step skipped, loss scale is {loss_scale}, skipped so far: {so_far}"


def epoch_time(seconds: float, steps: int) -> str:
    return f"Train epoch time: {seconds * 1e3:5.3f} ms, per step time: {seconds * 1e3 / steps:5.3f} ms"


def evaluation(epoch: int, metrics: Mapping[str, float]) -> str:
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    return f"Eval result: epoch {epoch}, metrics: {rounded}"


def checkpoint_saved(path: object, step: int) -> str:
    return f"checkpoint saved: {path} step: {step}"


def resumed(path: object, step: int) -> str:
    return f"resumed from: {path} step: {step}"


def weights(digest: str, step: int) -> str:
    return f"weights sha256: {digest} step: {step}"
