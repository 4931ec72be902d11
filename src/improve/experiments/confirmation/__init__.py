"""Proof by experiment: the likeliest changes of a diagnosis, each trained for a part of the run, beside the run."""
