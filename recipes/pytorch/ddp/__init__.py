"""Image classification with PyTorch's DistributedDataParallel."""
