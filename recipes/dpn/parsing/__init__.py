"""Deep Parsing Network: semantic segmentation with one pass of a Markov random field's mean field, in MindSpore."""
