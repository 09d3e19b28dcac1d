"""TensorFlow's version 1 API, of whichever TensorFlow there is."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from training.errors import RecipeError

_WANTED = (
    "install tensorflow==1.15.5 (Python 3.7) or tensorflow==2.6.5 (Python 3.7 to 3.9); "
    "on the CPU any up to 2.15, the last with an Estimator"
)


def load_tensorflow() -> Any:
    """Raises RecipeError when TensorFlow cannot be imported, or has no Estimator any more."""
    try:
        tf = importlib.import_module("tensorflow").compat.v1
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"TensorFlow cannot be imported by {sys.executable} ({error}): {_WANTED}") from error
    try:
        tf.estimator.Estimator  # noqa: B018 - newer ones import it when it is asked for
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"TensorFlow {tf.__version__} has no Estimator ({error}): {_WANTED}") from error
    return tf
