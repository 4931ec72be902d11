"""improve: why a Keras image classifier is bad, and what to change next."""

__version__ = "0.1.0"
