"""The fault matrix: real faults on a running job of 8 ranks; what happens to training, and what is lost (nothing)."""
