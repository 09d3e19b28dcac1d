"""A residual network on 32x32 images, trained with TensorFlow's Estimator on NPUs or on the CPU."""
