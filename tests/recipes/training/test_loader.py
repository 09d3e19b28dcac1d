import threading

import numpy as np
import pytest
from training.loader import load_batches


def sample(index):
    return np.full((3, 2, 2), index, np.float32), np.full((2, 2), index, np.int32)


def test_batches_come_in_order_whatever_the_threads_do():
    batches = [[4, 2], [0, 1], [9, 3], [5, 5], [7, 8]]
    loaded = [labels[:, 0, 0].tolist() for _, labels in load_batches(batches, sample, workers=3)]
    assert loaded == batches


def test_an_error_reaches_the_reader_at_its_batch():
    def broken(index):
        if index == 3:
            raise ValueError("image 3")
        return sample(index)

    loading = load_batches([[1], [2], [3], [4]], broken, workers=2)
    assert len([next(loading), next(loading)]) == 2
    with pytest.raises(ValueError, match="image 3"):
        next(loading)


def test_no_thread_outlives_a_loader_that_is_abandoned():
    loading = load_batches([[number] for number in range(50)], sample, workers=2)
    next(loading)
    loading.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]
