"""The environment on a host: an interpreter that has npu-launch and Ray, found there or brought there."""
