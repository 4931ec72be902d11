"""The trials of a sweep on the nodes of a Ray cluster.

Imports `experiments.sweep`; Ray is imported when it is used.
"""
