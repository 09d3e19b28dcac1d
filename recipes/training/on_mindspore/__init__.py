"""Training data-parallel with MindSpore: the group, the step, checkpoints, and the run made of them."""
