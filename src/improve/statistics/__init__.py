"""Intervals, tests and comparisons of error rates, in pure NumPy.

The ground: imports nothing but what lies at the root.
"""
