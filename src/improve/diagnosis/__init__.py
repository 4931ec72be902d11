"""From runs to why a model is bad, what to change next, and which difference is real.

Reads runs and runs nothing: imports `runs` and what lies below, never Keras.
"""
