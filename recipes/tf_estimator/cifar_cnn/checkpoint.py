"""Where an Estimator starts from, and what it ends with."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from training.errors import RecipeError

from cifar_cnn.model import network
from cifar_cnn.options import Options
from cifar_cnn.source import SIDE


def start_from(tf: Any, folder: Path, options: Options) -> None:
    """Have an Estimator on `folder` go on from --resume_from, or from nothing, whatever lies there.

    It goes on from what the file `checkpoint` names, and in time removes what that names: a checkpoint of another
    folder is copied. Raises RecipeError for one that is damaged, or of another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "checkpoint"
    if state.exists():
        state.unlink()
    if options.resume_from:
        index = Path(options.resume_from).absolute()
        _require_fit(tf, index, options)
        if index.parent != folder:
            for path in index.parent.glob(f"{index.stem}.*"):
                shutil.copy2(path, folder)
        tf.train.update_checkpoint_state(str(folder), str(folder / index.stem))


def digest(estimator: Any) -> str:
    """SHA-256 of all variables in the newest checkpoint, in the order of their names."""
    found = hashlib.sha256()
    for name in sorted(estimator.get_variable_names()):
        found.update(name.encode())
        found.update(estimator.get_variable_value(name).tobytes())
    return found.hexdigest()


def _require_fit(tf: Any, index: Path, options: Options) -> None:
    try:
        found = tf.train.load_checkpoint(str(index.with_suffix(""))).get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(f"--resume_from={index}: cannot be read ({reason}): resume from another") from error
    with tf.Graph().as_default():
        network(tf, tf.placeholder(tf.float32, (None, SIDE, SIDE, 3)), options.blocks, options.width, training=True)
        for variable in tf.global_variables():
            expected = variable.shape.as_list()
            if found.get(variable.op.name) != expected:
                raise RecipeError(
                    f"--resume_from={index}: {variable.op.name}: expected {expected}, found "
                    f"{found.get(variable.op.name, 'none')}: resume with the --blocks and --width it was written with"
                )
