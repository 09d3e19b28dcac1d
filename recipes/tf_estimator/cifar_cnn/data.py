"""Input pipelines in TensorFlow 1's tf.data, which run on the host whatever computes the network.

Nothing in here is a tf.Variable: on an NPU variables are initialised on the device, where the host's pipeline does not
find them ("Error while reading resource variable ... from Container: localhost"). What is constant is a constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cifar_cnn.source import CLASSES, RECORD_BYTES, SIDE, Part

# Of CIFAR-10's training images, red, green and blue.
_MEAN = (125.3, 123.0, 113.9)
_DEVIATION = (63.0, 62.1, 66.7)

_MARGIN = 4  # pixels around an image, within which its crop moves
_PARALLEL = 4  # images decoded at a time


def training_images(tf: Any, part: Part, batch_size: int, seed: int, rank: int, ranks: int, done: int) -> Any:
    """Endless batches of one rank, from the one after `done` steps on: (images, classes).

    A step takes a contiguous part of the epoch's order, whatever the number of ranks; what is left at the end of an
    epoch is dropped. Endless, because steps that overflow do not count: the number of steps ends the training. Every
    batch is full: another shape would be another graph to compile.
    """
    together = batch_size * ranks
    whole = part.images // together * together
    epochs = _records(tf, part).shuffle(part.images, seed=seed).take(whole).repeat()
    numbered = tf.data.Dataset.zip((tf.data.Dataset.range(2**62), epochs)).skip(done * together)

    def prepare(number: Any, record: Any) -> Any:
        image, label = _decoded(tf, part, seed, record)
        return _normalised(tf, _augmented(tf, image, seed, number)), label

    # Each rank decodes its own images alone: batches of records are dealt out, not batches of images.
    dealt = numbered.batch(batch_size, drop_remainder=True).shard(ranks, rank)
    single = dealt.flat_map(lambda numbers, records: tf.data.Dataset.from_tensor_slices((numbers, records)))
    return single.map(prepare, num_parallel_calls=_PARALLEL).batch(batch_size, drop_remainder=True).prefetch(2)


def evaluation_images(tf: Any, part: Part, batch_size: int, seed: int) -> Any:
    """Every image once, in full batches; those that fill none are dropped."""

    def prepare(record: Any) -> Any:
        image, label = _decoded(tf, part, seed, record)
        return _normalised(tf, image), label

    images = _records(tf, part).take(part.images).map(prepare, num_parallel_calls=_PARALLEL)
    return images.batch(batch_size, drop_remainder=True).prefetch(2)


def _records(tf: Any, part: Part) -> Any:
    """Records of files, or the numbers of images that are made."""
    if part.files:
        return tf.data.FixedLengthRecordDataset(list(part.files), RECORD_BYTES).take(part.images)
    return tf.data.Dataset.range(part.first, part.first + part.images)


def _decoded(tf: Any, part: Part, seed: int, record: Any) -> Any:
    """A float32 image of SIDE x SIDE x 3 in 0..255, and its class."""
    if not part.files:
        label = tf.cast(record % CLASSES, tf.int32)
        noise = tf.random.stateless_normal((SIDE, SIDE, 3), seed=tf.stack([tf.cast(seed, tf.int64), record]))
        return tf.gather(tf.constant(_patterns(seed)), label) + 40.0 * noise, label
    values = tf.io.decode_raw(record, tf.uint8)
    pixels = tf.transpose(tf.reshape(values[1:], (3, SIDE, SIDE)), (1, 2, 0))
    return tf.cast(pixels, tf.float32), tf.cast(values[0], tf.int32)


def _patterns(seed: int) -> np.ndarray:
    """What the made images of each class have in common: 4x4 fields of colour."""
    fields = np.random.RandomState(seed).uniform(64, 192, (CLASSES, 4, 4, 3))
    return fields.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2).astype(np.float32)


def _augmented(tf: Any, image: Any, seed: int, number: Any) -> Any:
    """The image moved by up to _MARGIN pixels and perhaps flipped, by its number alone: a resumed run does the same."""
    draws = tf.random.stateless_uniform((3,), seed=tf.stack([number, tf.cast(seed, tf.int64)]))
    corner = tf.cast(draws[:2] * (2 * _MARGIN + 1), tf.int32)
    padded = tf.pad(image, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)))
    moved = tf.slice(padded, tf.concat([corner, [0]], 0), (SIDE, SIDE, 3))
    return tf.cond(draws[2] < 0.5, lambda: moved, lambda: tf.reverse(moved, [1]))


def _normalised(tf: Any, image: Any) -> Any:
    return (tf.reshape(image, (SIDE, SIDE, 3)) - tf.constant(_MEAN)) / tf.constant(_DEVIATION)
