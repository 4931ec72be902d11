"""The country of birds that are drawn: a source whose every fault is known.

Imports what `spec.datasets` may import.
"""
