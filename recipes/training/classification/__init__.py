"""Images with one class each: synthetic, CIFAR-10, or from a folder; whatever framework trains on them."""
