"""Training a baseline: a labelled, time-ordered frame in, a fitted estimator and its model card out."""
