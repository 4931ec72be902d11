"""From a Spec and its data to a compiled Keras model, and what is done with such a model.

Imports `engine.data`.
"""
