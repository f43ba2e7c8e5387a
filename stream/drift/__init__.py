"""Whether the baseline has rotted: evidence, its bounds, and intervals. Numbers in, values out."""
