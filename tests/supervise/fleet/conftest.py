"""Runs written by hand, in a home of their own."""

from tests.cli.conftest import author

__all__ = ["author"]
