"""One run, from its first batch to its last file; and how it goes on after a stop.

Imports `engine.data` and `engine.model`.
"""
