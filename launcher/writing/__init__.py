"""Recipes that npu-launch writes: from a template, from another recipe, from a shell script that launches."""
