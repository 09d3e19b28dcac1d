"""Batches read ahead by threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Sample = tuple[np.ndarray, np.ndarray]
"""An image and what it shows: one class, or a class for each pixel."""

_BATCHES_AHEAD = 2


def load_batches(batches: Iterable[Iterable[int]], sample: Callable[[int], Sample], workers: int) -> Iterator[Sample]:
    """The samples of each batch of image numbers, stacked: (batch, ...) of both parts.

    Threads suffice: decoding, resizing and NumPy's arithmetic release the interpreter lock.
    An error of `sample` is raised where its batch is due.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        pending: deque[list] = deque()
        try:
            for batch in batches:
                pending.append([pool.submit(sample, int(index)) for index in batch])
                if len(pending) > _BATCHES_AHEAD:
                    yield _stacked(pending.popleft())
            while pending:
                yield _stacked(pending.popleft())
        finally:
            for futures in pending:
                for future in futures:
                    future.cancel()


def _stacked(futures: list) -> Sample:
    images, classes = zip(*(future.result() for future in futures), strict=True)
    return np.stack(images), np.stack(classes)
