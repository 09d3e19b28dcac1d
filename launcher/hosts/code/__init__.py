"""The recipe's code on every host: a snapshot of it, or the folder itself where all hosts see it."""
