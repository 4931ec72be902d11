"""TensorBoard and MLflow, told of a run while it trains.

Imports `engine.training`.
"""
