"""The network, and what an Estimator does with it; the same on NPU and CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cifar_cnn.options import Options
from cifar_cnn.source import CLASSES


def model_function(tf: Any, options: Options, rates: Sequence[float], wrapped: Callable[[Any], Any]) -> Callable:
    """An Estimator's model_fn. `rates` has the learning rate of each step; `wrapped` wraps the optimiser."""

    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        training = mode == tf.estimator.ModeKeys.TRAIN
        logits = network(tf, features, options.blocks, options.width, training)
        loss = tf.losses.sparse_softmax_cross_entropy(labels, logits) + options.weight_decay * _decayed(tf)
        if not training:
            accuracy = tf.metrics.accuracy(labels, tf.argmax(logits, 1, output_type=tf.int32))
            return tf.estimator.EstimatorSpec(mode, loss=loss, eval_metric_ops={"accuracy": accuracy})
        step = tf.train.get_global_step()
        # From a table in the graph: within a loop on the device, the host cannot say what a step's rate is.
        rate = tf.gather(tf.constant(rates, tf.float32), tf.minimum(step, len(rates) - 1))
        optimizer = wrapped(tf.train.MomentumOptimizer(rate, options.momentum))
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train_op = optimizer.minimize(loss, global_step=step)
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)

    return model_fn


def network(tf: Any, images: Any, blocks: int, width: int, training: bool) -> Any:
    """Logits (batch, CLASSES) of a residual network with three stages (He et al. 2016, section 4.2)."""
    out = _normalised(tf, _convolution(tf, images, width, 3, 1), training)
    for stage in range(3):
        for block in range(blocks):
            out = _block(tf, out, width * 2**stage, 2 if stage and not block else 1, training)
    # A mean over axes: a pooling window of the whole image may be more than the AI Core takes (255 cells).
    return tf.layers.dense(tf.reduce_mean(out, [1, 2]), CLASSES)


def _block(tf: Any, x: Any, channels: int, stride: int, training: bool) -> Any:
    out = _normalised(tf, _convolution(tf, x, channels, 3, stride), training)
    out = _normalised(tf, _convolution(tf, out, channels, 3, 1), training, relu=False)
    if stride > 1:
        x = _normalised(tf, _convolution(tf, x, channels, 1, stride), training, relu=False)
    return tf.nn.relu(out + x)


def _convolution(tf: Any, x: Any, channels: int, side: int, stride: int) -> Any:
    initial = tf.variance_scaling_initializer(2.0, "fan_out")
    return tf.layers.conv2d(x, channels, side, stride, padding="same", use_bias=False, kernel_initializer=initial)


def _normalised(tf: Any, x: Any, training: bool, relu: bool = True) -> Any:
    out = tf.layers.batch_normalization(x, momentum=0.9, epsilon=1e-5, training=training)
    return tf.nn.relu(out) if relu else out


def _decayed(tf: Any) -> Any:
    """Half the square of all kernels; BatchNorm and biases stay as they are."""
    return tf.add_n([tf.nn.l2_loss(weight) for weight in tf.trainable_variables() if "kernel" in weight.op.name])
