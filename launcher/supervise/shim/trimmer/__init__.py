"""Frees the middle of one log, beside the shim, which has no time for it: `python -I -S trimmer PATH BYTES`.

The exit code is 0 when that was done, and else the errno that says why not.
"""
