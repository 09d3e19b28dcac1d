"""The command `npu-launch`: one module per command, thin."""
