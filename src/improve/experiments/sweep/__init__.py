"""One spec, many settings: which points, in which order, trained where, and what came of them.

Imports `engine` and `experiments.learning_curve`.
"""
