"""Drift: whether the baseline has rotted and the inputs have moved; pure values in, values out."""
