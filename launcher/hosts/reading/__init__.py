"""Understands what a host's tools print and its files hold, purely: text to values, or to what was not understood."""
